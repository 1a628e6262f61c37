package brand

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"strings"
)

// Limits of a picture.
const (
	MaxLogoBytes  = 200 << 10
	MaxLogoPixels = 2048 // width and height of a PNG
)

// CheckLogo returns the file name extension of a picture, .png or .svg. An SVG must be able to do
// nothing but draw: no scripts, no handlers of events, nothing from other addresses.
func CheckLogo(content []byte) (ext string, err error) {
	if len(content) > MaxLogoBytes {
		return "", fmt.Errorf("larger than %d kB", MaxLogoBytes>>10)
	}
	if bytes.HasPrefix(content, []byte("\x89PNG\r\n\x1a\n")) {
		return ".png", checkPNG(content)
	}
	return ".svg", checkSVG(content)
}

func checkPNG(content []byte) error {
	size, err := png.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return errors.New("not a valid PNG")
	}
	if size.Width > MaxLogoPixels || size.Height > MaxLogoPixels {
		return fmt.Errorf("larger than %d × %d pixels", MaxLogoPixels, MaxLogoPixels)
	}
	if _, err := png.Decode(bytes.NewReader(content)); err != nil {
		return errors.New("not a valid PNG")
	}
	return nil
}

// checkSVG reads the whole document. A document type could declare entities that expand without
// limit.
func checkSVG(content []byte) error {
	decoder := xml.NewDecoder(bytes.NewReader(content))
	root := true
	for {
		token, err := decoder.Token()
		switch {
		case err == io.EOF && root:
			return errors.New("neither a PNG nor an SVG")
		case err == io.EOF:
			return nil
		case err != nil:
			return errors.New("neither a PNG nor a well-formed SVG")
		}
		switch token := token.(type) {
		case xml.Directive:
			return errors.New("an SVG with a document type; remove the line with DOCTYPE")
		case xml.StartElement:
			if root && (token.Name.Local != "svg" || token.Name.Space != "http://www.w3.org/2000/svg") {
				return errors.New("neither a PNG nor an SVG")
			}
			root = false
			if err := checkElement(token); err != nil {
				return err
			}
		}
	}
}

// activeElements run scripts or show other documents.
var activeElements = map[string]bool{"script": true, "foreignobject": true, "iframe": true, "embed": true, "object": true, "handler": true, "listener": true}

func checkElement(e xml.StartElement) error {
	if activeElements[strings.ToLower(e.Name.Local)] {
		return fmt.Errorf("an SVG with the element %s, which a picture doesn't need", e.Name.Local)
	}
	for _, attr := range e.Attr {
		name := strings.ToLower(attr.Name.Local)
		if strings.HasPrefix(name, "on") {
			return fmt.Errorf("an SVG with the attribute %s, which would run a script", attr.Name.Local)
		}
		embedded := strings.HasPrefix(attr.Value, "#") || strings.HasPrefix(attr.Value, "data:image/png;") || strings.HasPrefix(attr.Value, "data:image/jpeg;")
		if (name == "href" || name == "src") && !embedded {
			return fmt.Errorf("an SVG with the address %.40q, which browsers don't load in a picture", attr.Value)
		}
	}
	return nil
}
