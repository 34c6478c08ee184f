package source

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/storage/value"
)

// Header says whether the first line of a csv holds column names.
type Header uint8

const (
	HeaderAuto Header = iota // found out from what the first lines look like
	HeaderYes
	HeaderNo
)

// Options are what COPY and the table functions leave to the user, and what
// they know themselves. The zero Options are the defaults.
type Options struct {
	Header    Header // csv, tsv; writing: anything but HeaderNo writes one
	Delimiter string // csv, tsv; "" = the format's own
	Quote     rune   // csv, tsv; 0 = "
	Null      string // csv, tsv: what stands for NULL, written without quotes

	Member string // npz, safetensors: which of the arrays

	// Gallery.
	Title     string // of the page
	Image     string // template of a picture's file or URL: 'dogs/{id}.jpg'
	Link      string // template of where a picture leads
	Credit    string // template of the line below
	Thumbnail int    // longest side of embedded pictures in pixels; 0 = 360

	// Infer makes readers of text formats find the types of columns from what
	// the file holds; otherwise a csv has texts only. Set for read_csv.
	Infer bool

	// Stop is asked while types are found; an error ends that. It may be nil.
	Stop func() error

	// Names are the columns the caller is going to fill: a csv whose first line
	// repeats one of them has a header.
	Names []string

	// images().
	Exclude []string // patterns of what is left out, by name, or with a slash by path
	Fast    bool     // pictures are decoded at reduced size to be encoded
	Pixels  int      // the most that a picture may have; 0: as many as usual
	Workers int      // bounds how many pictures are looked at at a time; 0 = one a CPU

	// frames().
	Every float64 // seconds from one picture to the next

	format string
}

// Option is one option as the user wrote it: name [value].
type Option struct {
	Name     string
	Value    value.Value
	HasValue bool
}

// Use says what options are for.
type Use uint8

const (
	Import    Use = iota // COPY ... FROM
	Export               // COPY ... TO
	TableFunc            // read_csv(...) and the like
)

// ParseOptions checks options and their values. format is that of the file's
// ending or the function's name; the option FORMAT changes it, except in a
// table function.
func ParseOptions(format string, use Use, opts []Option) (string, Options, error) {
	var o Options
	seen := map[string]bool{}
	for _, opt := range opts {
		name := strings.ToLower(opt.Name)
		if seen[name] {
			return "", o, fmt.Errorf("option %s is given twice", strings.ToUpper(name))
		}
		seen[name] = true
		if name != "format" || use == TableFunc {
			continue
		}
		s, err := optText(opt)
		if err != nil {
			return "", o, err
		}
		f, err := find(s)
		if err != nil {
			return "", o, err
		}
		format = f.name
	}
	f, err := find(format)
	if err != nil {
		return "", o, err
	}
	known := f.options
	if use == Export {
		known = f.exports
	}
	for _, opt := range opts {
		name := strings.ToLower(opt.Name)
		if name == "format" && use != TableFunc {
			continue
		}
		if name == "delim" || name == "sep" {
			name = "delimiter"
		}
		if name == "nullstr" {
			name = "null"
		}
		if !contains(known, name) {
			return "", o, unknownOption(f, use, name, known)
		}
		if err := o.set(name, opt); err != nil {
			return "", o, err
		}
	}
	if o.Null != "" && o.Delimiter != "" && strings.Contains(o.Null, o.Delimiter) {
		return "", o, fmt.Errorf("option NULL can't have the delimiter in it")
	}
	return f.name, o, nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func unknownOption(f fileFormat, use Use, name string, known []string) error {
	if use != TableFunc {
		known = append([]string{"format"}, known...)
	}
	what := "reading"
	if use == Export {
		what = "writing"
	}
	if len(known) == 0 {
		return fmt.Errorf("no option %q: %s %s takes none", name, what, f.name)
	}
	return fmt.Errorf("no option %q for %s %s%s; there are %s", name, what, f.name, hint.DidYouMean(name, known), strings.Join(known, ", "))
}

func optText(opt Option) (string, error) {
	if !opt.HasValue || opt.Value.Kind() != value.Text {
		return "", fmt.Errorf("option %s needs a text: %s 'x'", strings.ToUpper(opt.Name), strings.ToUpper(opt.Name))
	}
	return opt.Value.Str(), nil
}

// optChar reads a single character.
func optChar(opt Option) (rune, error) {
	s, err := optText(opt)
	if err != nil {
		return 0, err
	}
	r, size := utf8.DecodeRuneInString(s)
	if size != len(s) || size == 0 || r == '\n' || r == '\r' || r == utf8.RuneError {
		return 0, fmt.Errorf("option %s needs one character, not %s", strings.ToUpper(opt.Name), value.Quote(s))
	}
	return r, nil
}

// optDelimiter reads what stands between fields; \t and tab mean a tab.
func optDelimiter(opt Option) (string, error) {
	s, err := optText(opt)
	if err != nil {
		return "", err
	}
	switch strings.ToLower(s) {
	case `\t`, "tab":
		s = "\t"
	}
	if s == "" || utf8.RuneCountInString(s) > 8 || strings.ContainsAny(s, "\"\r\n") || !utf8.ValidString(s) {
		return "", fmt.Errorf("option %s needs one character or a few, without quotes and line ends, not %s", strings.ToUpper(opt.Name), value.Quote(s))
	}
	return s, nil
}

func (o *Options) set(name string, opt Option) (err error) {
	switch name {
	case "header":
		on := true
		if opt.HasValue {
			switch v := opt.Value; v.Kind() {
			case value.Boolean:
				on = v.Bool()
			case value.Integer:
				on = v.Int() != 0
			case value.Text:
				if strings.EqualFold(v.Str(), "auto") || strings.EqualFold(v.Str(), "match") {
					return nil
				}
				if on, err = value.ParseBool(v.Str()); err != nil {
					return fmt.Errorf("option HEADER is true, false or auto, not %s", value.Quote(v.Str()))
				}
			default:
				return fmt.Errorf("option HEADER is true, false or auto, not %v", v)
			}
		}
		o.Header = HeaderNo
		if on {
			o.Header = HeaderYes
		}
	case "delimiter":
		o.Delimiter, err = optDelimiter(opt)
	case "quote":
		if o.Quote, err = optChar(opt); err == nil && o.Quote != '"' {
			err = fmt.Errorf(`option QUOTE: only " can quote, not %q`, o.Quote)
		}
	case "null":
		if o.Null, err = optText(opt); err == nil && strings.ContainsAny(o.Null, "\"\r\n") {
			err = fmt.Errorf("option NULL can't have a quote or a line break in it")
		}
	case "member":
		o.Member, err = optText(opt)
	case "title":
		o.Title, err = optText(opt)
	case "image":
		o.Image, err = optText(opt)
	case "link":
		o.Link, err = optText(opt)
	case "credit":
		o.Credit, err = optText(opt)
	case "thumbnail":
		if !opt.HasValue || opt.Value.Kind() != value.Integer || opt.Value.Int() < 16 || opt.Value.Int() > 2000 {
			return fmt.Errorf("option THUMBNAIL is a size of 16 to 2000 pixels")
		}
		o.Thumbnail = int(opt.Value.Int())
	}
	return err
}
