// Package mail holds the outbox: e-mails are stored in the transaction of the change that causes
// them, and sent after the commit, with retries.
//
// It contains no texts (package views/mail implements [Renderer]), no SMTP (package smtp below
// implements [Sender]) and no SQL (package db implements [Store]). It imports catalog, phrase, env,
// job and apperr; packages account, billing and those above may import it.
//
// Start reading at [Outbox.Queue] and [Outbox.SendDue]. A new kind of e-mail needs a [Kind], a
// template in views/mail, and the call of Queue.
package mail
