// Package brand holds the adopter's name, colors, logo and links, which pages and e-mails show
// instead of Usher's. It checks them, and derives the shades of both themes from one color.
//
// Kept out: reading files and variables (package cmd/usher), serving (packages handlers and static)
// and HTML. It imports nothing of this module.
//
// Start reading at [Brand], then [NewPalette] and [CheckLogo].
package brand
