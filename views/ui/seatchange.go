package ui

// SeatChangeID is the ID of the element that htmx fills with what a change of seats costs.
const SeatChangeID = "seat-change"
