package stripelocal

// changes are the attributes of before that after has otherwise. Of nested
// objects only what changed is shown, lists are shown whole.
func changes(before, after object) object {
	out := object{}
	for name, was := range before {
		is := after[name]
		if isHidden(was) || sameValue(was, is) {
			continue
		}
		out[name] = was
		wasObject, ok := was.(object)
		isObject, also := is.(object)
		if ok && also {
			out[name] = changes(wasObject, isObject)
		}
	}
	for name := range after {
		if _, had := before[name]; !had && !isHidden(after[name]) {
			out[name] = nil
		}
	}
	return out
}

func isHidden(v any) bool {
	_, is := v.(hidden)
	return is
}
