package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"usher/static"
	"usher/views/brand"
)

// readBrand reads what the adopter set of the brand, except the logo.
func (r *envReader) readBrand() brand.Brand {
	return brand.Brand{
		Name:       readVar(r, "BRAND_NAME", "", parseBrandName),
		Palette:    readVar(r, "BRAND_COLOR", nil, parsePalette),
		SupportURL: readVar(r, "SUPPORT_URL", "", r.parseSupportURL),
		TermsURL:   readVar(r, "TERMS_URL", "", r.parseLinkURL),
		PrivacyURL: readVar(r, "PRIVACY_URL", "", r.parseLinkURL),
	}
}

func parseBrandName(value string) (string, error) { return value, brand.CheckName(value) }

// parsePalette reads one color, or one for each theme.
func parsePalette(value string) (*brand.Palette, error) {
	var colors []brand.Color
	for item := range strings.SplitSeq(value, ",") {
		color, err := brand.ParseColor(strings.TrimSpace(item))
		if err != nil {
			return nil, err
		}
		colors = append(colors, color)
	}
	palette, err := brand.NewPalette(colors...)
	if err != nil {
		return nil, err
	}
	return &palette, nil
}

// parseLogo checks an address. A file is read by [Config.brandWithFiles], which only serve calls.
func parseLogo(value string) (string, error) {
	if !strings.Contains(value, "://") {
		return value, nil
	}
	u, err := parseWebURL(value)
	if err != nil {
		return "", err
	}
	return value, validate(
		check{u.Scheme != "https", "not https"},
		check{strings.ContainsAny(value, " ;,'\""), "contains a character that a Content-Security-Policy can't have"},
	)
}

// maxLink is the maximum length of a link, so that two of them fit into a text at Stripe.
const maxLink = 400

// parseLinkURL accepts the address of a page for people, which must be https in production.
func (r *envReader) parseLinkURL(value string) (string, error) {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "", errors.New("not an absolute http or https URL")
	}
	return u.String(), validate(
		check{u.User != nil, "contains a user name"},
		check{len(value) > maxLink, fmt.Sprintf("longer than %d characters", maxLink)},
		check{r.production && u.Scheme != "https", "not https, which production requires"},
	)
}

// parseSupportURL accepts a page or an e-mail address.
func (r *envReader) parseSupportURL(value string) (string, error) {
	address, isMail := strings.CutPrefix(value, "mailto:")
	if !isMail {
		return r.parseLinkURL(value)
	}
	_, err := parseEmail(address)
	return value, err
}

// brandWithFiles returns the brand with its logo and its style sheet, and these as assets.
func (c Config) brandWithFiles() (brand.Brand, []static.Asset, error) {
	b, assets := c.Brand, []static.Asset(nil)
	if b.Palette != nil {
		sheet := static.New("brand.css", []byte(b.Palette.StyleSheet()))
		b.StyleSheet, assets = sheet.URL(), append(assets, sheet)
	}
	switch {
	case c.BrandLogo == "":
	case strings.Contains(c.BrandLogo, "://"):
		b.Logo = c.BrandLogo
	default:
		logo, err := readLogo(c.BrandLogo)
		if err != nil {
			return b, nil, fmt.Errorf("BRAND_LOGO=%.120q: %w. %s", c.BrandLogo, err, remedies["BRAND_LOGO"])
		}
		b.Logo, b.LogoType, assets = logo.URL(), logo.ContentType(), append(assets, logo)
	}
	return b, assets, nil
}

func readLogo(path string) (static.Asset, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator's own file
	if err != nil {
		return static.Asset{}, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, brand.MaxLogoBytes+1))
	if err != nil {
		return static.Asset{}, err
	}
	ext, err := brand.CheckLogo(content)
	if err != nil {
		return static.Asset{}, err
	}
	return static.New("logo"+ext, content), nil
}
