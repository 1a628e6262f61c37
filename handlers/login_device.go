package handlers

import (
	"log/slog"
	"net/http"

	"usher/billing/account"
)

// deviceCookies remember, in a cookie, which accounts a browser has logged in to. The cookie stays
// when the session ends. It gives no access, see [account.LoginDevice].
type deviceCookies struct {
	devices *account.LoginDevices
	name    string
	secure  bool
	log     *slog.Logger
}

func newDeviceCookies(o Options) *deviceCookies {
	c := &deviceCookies{devices: o.Billing.LoginDevices, name: "usher_device", log: o.Log}
	if o.BaseURL.Scheme == "https" {
		c.name, c.secure = "__Host-usher_device", true
	}
	return c
}

// known returns the id of the browser if the account of an address was logged in to with it; empty
// otherwise, and if it cannot be read.
func (c *deviceCookies) known(r *http.Request, email string) string {
	id, err := c.devices.Known(r.Context(), c.value(r), email)
	if err != nil {
		c.log.WarnContext(r.Context(), "device cookie not read", "err", err)
	}
	return id
}

// remember makes the browser a known one of a user who has signed in or set a new password. A
// failure is logged only.
func (c *deviceCookies) remember(w http.ResponseWriter, r *http.Request, user account.User) {
	value, err := c.devices.Remember(r.Context(), c.value(r), user)
	if err != nil {
		c.log.WarnContext(r.Context(), "device cookie not written", "user_id", user.ID, "err", err)
		return
	}
	// #nosec G124 -- Secure unless BASE_URL is http, which production refuses
	http.SetCookie(w, &http.Cookie{
		Name: c.name, Value: value, Path: "/", MaxAge: int(account.LoginDeviceLifetime.Seconds()), Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (c *deviceCookies) value(r *http.Request) string {
	cookie, err := r.Cookie(c.name)
	if err != nil {
		return ""
	}
	return cookie.Value
}
