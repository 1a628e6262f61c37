package ui

import (
	"slices"
	"time"
)

// Level is a value that holds from a time until the next level.
type Level struct {
	At    time.Time
	Value int64
	Words string // what changed it, for the table; may be empty
	// Mark draws a mark at the level, as for credits that were granted.
	Mark bool
	// Unknown means that no value is known until the next level: a gap.
	Unknown bool
}

// LevelChartProps are the props of [LevelChart]. Levels are oldest first and begin at From or
// before it.
type LevelChartProps struct {
	ID     string
	Title  string
	From   time.Time
	Until  time.Time
	Now    time.Time // the last level holds until then; after it the line is a projection
	Levels []Level
	// EmptyAt is when the value reaches zero if it falls as it did; zero: not before Until.
	// Projected is the value at Until or at EmptyAt.
	EmptyAt   time.Time
	Projects  bool
	Projected int64
	Unit      string // heading of the values in the table
	MarkWords string // what a mark means, for the key
}

// levelStep is a horizontal part of the line, with the area below it. Positions are percentages,
// heights are pixels.
type levelStep struct {
	x, width float64
	y        float64
	rise     float64 // y of the step before, where the vertical line begins
	joined   bool    // a step before ends where this one begins
	mark     bool
}

// highest is the largest value drawn.
func (p LevelChartProps) highest() int64 {
	most := max(0, p.Projected)
	for _, level := range p.Levels {
		if !level.Unknown {
			most = max(most, level.Value)
		}
	}
	return most
}

// at returns where a time is along the width, in percent.
func (p LevelChartProps) at(t time.Time) float64 {
	whole := p.Until.Sub(p.From)
	if whole <= 0 {
		return 0
	}
	return min(100, max(0, 100*float64(t.Sub(p.From))/float64(whole)))
}

// steps returns the line until now.
func (p LevelChartProps) steps() []levelStep {
	var steps []levelStep
	joined := false
	for i, level := range p.Levels {
		end := p.Now
		if i+1 < len(p.Levels) {
			end = p.Levels[i+1].At
		}
		if level.Unknown {
			joined = false
			continue
		}
		x, until := p.at(level.At), p.at(minTime(end, p.Until))
		step := levelStep{x: x, width: until - x, y: levelY(level.Value, p.highest()), joined: joined, mark: level.Mark && !level.At.Before(p.From)}
		if joined {
			step.rise = steps[len(steps)-1].y
		}
		if !end.Before(p.From) {
			steps = append(steps, step)
			joined = true
		}
	}
	return steps
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// projection is the straight line from the present value to the one at its end.
type projection struct{ x1, y1, x2, y2 float64 }

func (p LevelChartProps) projection() projection {
	last := p.Levels[len(p.Levels)-1]
	end := p.Until
	if !p.EmptyAt.IsZero() {
		end = minTime(p.EmptyAt, p.Until)
	}
	return projection{p.at(p.Now), levelY(last.Value, p.highest()), p.at(end), levelY(p.Projected, p.highest())}
}

func (p LevelChartProps) hasMarks() bool {
	return slices.ContainsFunc(p.Levels, func(l Level) bool { return l.Mark && !l.At.Before(p.From) })
}

// rows are the levels of the table, newest first.
func (p LevelChartProps) rows() []Level {
	rows := slices.DeleteFunc(slices.Clone(p.Levels), func(l Level) bool { return l.Unknown })
	slices.Reverse(rows)
	return rows
}

// monthTicks are the months of a chart of several whole months, as labels of equal width; nil for a
// shorter one, which shows its first and its last day.
func (p LevelChartProps) monthTicks() []time.Time {
	var months []time.Time
	for at := p.From; p.From.Day() == 1 && at.Before(p.Until); at = at.AddDate(0, 1, 0) {
		months = append(months, at)
	}
	if len(months) < 3 || len(months) > 12 {
		return nil
	}
	return months
}
