// Package ui holds the components that pages are made of: buttons, fields, notices, badges, icons,
// tables, the seat row, and the formatting of times, numbers and plan names. Props are plain
// values; package catalog is imported for money and intervals only.
//
// Kept out: whole pages, and anything that only one page uses.
package ui
