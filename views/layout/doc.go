// Package layout holds the frame of every page: document head, header, navigation, footer,
// headings, the tabs of an organization, and the error page. Start with [Page].
package layout
