// Package locale translates the texts of pages, messages and e-mails, and formats amounts, numbers
// and dates for a language.
//
// English is in the code: the text itself is the key. A translation is a gettext file beside this
// package, one per language, with every text that people can read outside operators' and
// developers' pages; a text without one is shown in English. The language of a request is in its
// context, where the middleware of package handlers puts it. Start reading at [T].
//
// The package knows nothing of pages: who chooses the language and where it is kept is not decided
// here.
package locale
