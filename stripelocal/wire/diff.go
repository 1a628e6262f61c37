package wire

// PreviousAttributes returns the attributes of before that differ in after. Of nested objects it
// returns only what differs; lists are returned whole.
func PreviousAttributes(before, after Object) Object {
	out := Object{}
	for name, was := range before {
		is := after[name]
		if isExpandable(was) || Equal(was, is) {
			continue
		}
		out[name] = was
		wasObject, ok := was.(Object)
		isObject, also := is.(Object)
		if ok && also {
			out[name] = PreviousAttributes(wasObject, isObject)
		}
	}
	for name := range after {
		if _, had := before[name]; !had && !isExpandable(after[name]) {
			out[name] = nil
		}
	}
	return out
}

func isExpandable(v any) bool {
	_, is := v.(Expandable)
	return is
}
