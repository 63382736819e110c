package helppage

import (
	"strings"

	"github.com/seed47566266/understudy/contracts"
)

// formats reads lines of media types, each with its sample, up to the heading
// until (the end of the page when it is empty).
func (r *reader) formats(until string, sample func(at int, text string)) ([]contracts.Format, error) {
	var formats []contracts.Format
	for first := true; first || r.peek() != until; first = false {
		at, text, err := r.next("a line of media types")
		if err != nil {
			return nil, err
		}
		for _, mediaType := range strings.Split(text, ",") {
			f := contracts.Format{MediaType: strings.TrimSpace(mediaType), Fact: r.stated(at)}
			if !f.IsJSON() && !f.IsForm() {
				return nil, r.fail(at, "unknown media type %q; known are %s, %s and %s", f.MediaType,
					contracts.MediaJSON, contracts.MediaTextJSON, contracts.MediaForm)
			}
			for _, earlier := range formats {
				if earlier.MediaType == f.MediaType {
					return nil, r.fail(at, "duplicate media type %s (first on line %d)", f.MediaType, earlier.Fact.Line)
				}
			}
			formats = append(formats, f)
		}
		if err := r.expect("Sample:"); err != nil {
			return nil, err
		}
		at, text, err = r.next("a sample or “Sample not available.”")
		if err != nil {
			return nil, err
		}
		switch text {
		case "Sample not available.":
		case "{":
			end, err := r.endOfSample(at)
			if err != nil {
				return nil, err
			}
			sample(at, strings.Join(r.lines[at:end], "\n"))
			r.at = end
		default:
			return nil, r.fail(at, "expected a JSON object or “Sample not available.”")
		}
	}
	return formats, nil
}
