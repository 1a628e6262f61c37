package db

import (
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"
)

// array is a PostgreSQL array with one value for each row. [pq.GenericArray] has the same text, but
// lets it grow, which for the payloads of events takes several times the memory.
type array []any

// Value implements [driver.Valuer].
func (a array) Value() (driver.Value, error) {
	texts := make([]elementText, len(a))
	size := len("{}")
	for i, element := range a {
		value, err := driver.DefaultParameterConverter.ConvertValue(element)
		if err != nil {
			return nil, err
		}
		if texts[i], err = newElementText(value); err != nil {
			return nil, err
		}
		size += texts[i].size() + len(",")
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteByte('{')
	for i, text := range texts {
		if i > 0 {
			b.WriteByte(',')
		}
		text.write(&b)
	}
	b.WriteByte('}')
	return b.String(), nil
}

// elementText is an element of an array: text in quotes, or what needs none.
type elementText struct {
	text    string
	quoted  bool
	escapes int // characters with a backslash before them
}

func newElementText(value driver.Value) (elementText, error) {
	switch v := value.(type) {
	case nil:
		return elementText{text: "NULL"}, nil
	case string:
		return elementText{v, true, strings.Count(v, `"`) + strings.Count(v, `\`)}, nil
	case []byte:
		return newElementText(string(v))
	case bool:
		return elementText{text: strconv.FormatBool(v)}, nil
	case int64:
		return elementText{text: strconv.FormatInt(v, 10)}, nil
	case float64:
		return elementText{text: strconv.FormatFloat(v, 'f', -1, 64)}, nil
	case time.Time:
		return newElementText(string(pq.FormatTimestamp(v)))
	}
	return elementText{}, fmt.Errorf("db: an array with a %T", value)
}

func (e elementText) size() int { return len(e.text) + e.escapes + len(`""`) }

func (e elementText) write(b *strings.Builder) {
	if !e.quoted {
		b.WriteString(e.text)
		return
	}
	b.WriteByte('"')
	written := 0
	for i := range len(e.text) {
		if e.text[i] == '"' || e.text[i] == '\\' {
			b.WriteString(e.text[written:i])
			b.WriteByte('\\')
			written = i
		}
	}
	b.WriteString(e.text[written:])
	b.WriteByte('"')
}
