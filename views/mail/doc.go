// Package mail writes e-mails: subject, text and HTML of each kind. Start with [Renderer].
//
// The HTML has style attributes, because mail programs drop style sheets. It loads nothing, so that
// reading an e-mail is not reported.
package mail
