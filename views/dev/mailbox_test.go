package dev_test

import (
	"strings"
	"testing"
	"time"

	devviews "usher/views/dev"
	"usher/views/viewtest"
)

var december = time.Date(2026, time.December, 1, 12, 0, 0, 0, time.UTC)

func TestMailbox(t *testing.T) {
	mails := []devviews.Message{
		{ID: "eml_2", To: "ana@lyric.example", QueuedAt: december, Subject: "Choose a new password", Text: "Hello,\n\nChoose:\nhttps://usher.test/reset/abc\n\n<b>not bold</b> javascript:alert(1)\n"},
		{ID: "eml_1", To: "bo@lyric.example", QueuedAt: december, Subject: "Welcome", Text: "Hello,\n"},
	}
	doc := viewtest.Render(t, devviews.MailboxPage(devviews.MailboxPageProps{Mails: mails}))
	articles := doc.Find("main article")
	if articles.Length() != 2 || viewtest.Text(articles.First().Find("h2")) != "Choose a new password" || viewtest.Text(articles.First().Find(".recipient")) != "ana@lyric.example" {
		t.Errorf("%s", viewtest.Text(articles))
	}
	links := articles.First().Find("a")
	if links.Length() != 2 || links.First().AttrOr("href", "") != "/dev/mail?html=eml_2" || links.Last().AttrOr("href", "") != "https://usher.test/reset/abc" {
		t.Errorf("links %s", viewtest.Outline(links))
	}
	if articles.Find("b").Length() != 0 {
		t.Error("the text is taken as markup")
	}
	if empty := viewtest.Render(t, devviews.MailboxPage(devviews.MailboxPageProps{})); !strings.Contains(viewtest.Text(empty.Find("main")), "No mail yet") {
		t.Error("an empty page does not say so")
	}
}
