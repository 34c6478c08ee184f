package tokenizer

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalizer adds the steps of a normalizer.
func (t *Tokenizer) normalizer(s *stage) error {
	if s == nil {
		return nil
	}
	add := func(f step) error {
		t.normalize = append(t.normalize, f)
		return nil
	}
	switch s.Type {
	case "Sequence":
		for i := range s.Normalizers {
			if err := t.normalizer(&s.Normalizers[i]); err != nil {
				return err
			}
		}
		return nil
	case "Lowercase":
		return add(lower)
	case "NFC":
		return add(norm.NFC.String)
	case "NFD":
		return add(norm.NFD.String)
	case "NFKC":
		return add(norm.NFKC.String)
	case "NFKD":
		return add(norm.NFKD.String)
	case "StripAccents":
		return add(func(s string) string {
			return strings.Map(func(r rune) rune {
				if unicode.Is(unicode.M, r) {
					return -1
				}
				return r
			}, s)
		})
	case "Strip":
		return add(func(text string) string {
			if s.Left {
				text = strings.TrimLeftFunc(text, unicode.IsSpace)
			}
			if s.Right {
				text = strings.TrimRightFunc(text, unicode.IsSpace)
			}
			return text
		})
	case "Prepend":
		return add(func(text string) string {
			if text == "" {
				return ""
			}
			return s.Prepend + text
		})
	case "Replace":
		if s.Pattern.Regex == "" {
			if s.Pattern.String == "" {
				return errors.New("normalizer Replace has no pattern")
			}
			return add(strings.NewReplacer(s.Pattern.String, s.Content).Replace)
		}
		re, err := compile(s.Pattern.Regex)
		if err != nil {
			return fmt.Errorf("normalizer Replace: %w", err)
		}
		return add(func(text string) string { return re.ReplaceAllLiteralString(text, s.Content) })
	case "BertNormalizer":
		on := func(b *bool) bool { return b == nil || *b }
		accents := on(s.LowerCase)
		if s.Accents != nil {
			accents = *s.Accents
		}
		return add(bertNormalizer(on(s.Clean), on(s.Chinese), accents, on(s.LowerCase)))
	case "Precompiled":
		if s.Charsmap == nil || *s.Charsmap == "" {
			return nil
		}
		m, err := newCharsmap(*s.Charsmap)
		if err != nil {
			return err
		}
		return add(m.normalize)
	}
	return fmt.Errorf("normalizer %q is not supported (Sequence, Lowercase, NFC, NFD, NFKC, NFKD, StripAccents, Strip, Prepend, Replace, Precompiled and BertNormalizer are)", s.Type)
}

// preTokenizer adds the cutters of a pre-tokenizer.
func (t *Tokenizer) preTokenizer(s *stage) error {
	if s == nil {
		return nil
	}
	switch s.Type {
	case "Sequence":
		for i := range s.Pretokenizers {
			if err := t.preTokenizer(&s.Pretokenizers[i]); err != nil {
				return err
			}
		}
		return nil
	case "WhitespaceSplit":
		t.cut = append(t.cut, whitespaceSplit)
		return nil
	case "BertPreTokenizer":
		t.cut = append(t.cut, bertCut)
		return nil
	case "Whitespace":
		match, err := pattern(`\w+|[^\w\s]+`)
		if err != nil {
			return err
		}
		return t.splitAt(match, removed, true)
	case "Punctuation":
		behaviour := s.Behaviour
		if behaviour == "" {
			behaviour = isolated
		}
		return t.splitAt(each(isPunctuation), behaviour, false)
	case "Digits":
		behaviour := contiguous
		if s.Individual {
			behaviour = isolated
		}
		return t.splitAt(each(unicode.IsNumber), behaviour, false)
	case "Split":
		match := literal(s.Pattern.String)
		if s.Pattern.Regex != "" {
			var err error
			if match, err = pattern(s.Pattern.Regex); err != nil {
				return fmt.Errorf("pre_tokenizer Split: %w", err)
			}
		} else if s.Pattern.String == "" {
			return errors.New("pre_tokenizer Split has no pattern")
		}
		return t.splitAt(match, s.Behaviour, s.Invert)
	case "ByteLevel":
		var cut cutter
		if s.UseRegex == nil || *s.UseRegex {
			match, err := pattern(gpt2)
			if err == nil {
				cut, err = splitter(match, isolated, false)
			}
			if err != nil {
				return err
			}
		}
		t.cut = append(t.cut, byteLevel(s.PrefixSpace == nil || *s.PrefixSpace, cut))
		return nil
	case "Metaspace":
		mark, n := utf8.DecodeRuneInString(s.Replacement)
		if n == 0 || n != len(s.Replacement) {
			return fmt.Errorf("pre_tokenizer Metaspace: the replacement %q is not one character", s.Replacement)
		}
		scheme := s.Scheme
		switch {
		case s.PrefixSpace != nil && !*s.PrefixSpace: // older files have only this
			scheme = "never"
		case scheme == "":
			scheme = "always"
		case scheme != "always" && scheme != "first" && scheme != "never":
			return fmt.Errorf("pre_tokenizer Metaspace: prepend_scheme %q is not supported", scheme)
		}
		t.cut = append(t.cut, metaspace(mark, scheme, s.Split == nil || *s.Split))
		return nil
	}
	return fmt.Errorf("pre_tokenizer %q is not supported (Sequence, WhitespaceSplit, Whitespace, Metaspace, BertPreTokenizer, Punctuation, Digits, Split and ByteLevel are)", s.Type)
}

func (t *Tokenizer) splitAt(match matcher, behaviour string, invert bool) error {
	cut, err := splitter(match, behaviour, invert)
	if err == nil {
		t.cut = append(t.cut, cut)
	}
	return err
}

// around reads the tokens before and after a text.
func (t *Tokenizer) around(p *post) error {
	if p == nil {
		return nil
	}
	switch p.Type {
	case "TemplateProcessing":
	case "ByteLevel": // changes what is said of places, not ids
		return nil
	case "BertProcessing", "RobertaProcessing":
		if p.Cls == nil || p.Sep == nil {
			return fmt.Errorf("post_processor %s lacks cls or sep", p.Type)
		}
		t.before, t.after = append([]int64{p.Cls.id}, t.before...), append(t.after, p.Sep.id)
		return nil
	case "Sequence":
		for i := range p.Processors {
			if err := t.around(&p.Processors[i]); err != nil {
				return err
			}
		}
		return nil
	default:
		return fmt.Errorf("post_processor %q is not supported (Sequence, TemplateProcessing, BertProcessing, RobertaProcessing and ByteLevel are)", p.Type)
	}
	found := false
	for _, part := range p.Single {
		switch {
		case part.Sequence != nil && !found:
			found = true
		case part.Special != nil:
			s, ok := p.Specials[part.Special.ID]
			if !ok {
				return fmt.Errorf("post_processor: %q is not among its special_tokens", part.Special.ID)
			}
			if found {
				t.after = append(t.after, s.IDs...)
			} else {
				t.before = append(t.before, s.IDs...)
			}
		default:
			return errors.New("post_processor: a template for one text is expected")
		}
	}
	if !found {
		return errors.New("post_processor: the template has no place for the text")
	}
	return nil
}

// Classes of characters that \s, \d and \w stand for: they mean all of Unicode
// where these patterns come from, and ASCII in Go.
var classes = map[byte]string{
	's': `\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}`,
	'd': `\p{Nd}`,
	'w': `\p{L}\p{M}\p{N}\p{Pc}`,
}

// compile translates a pattern of tokenizer.json.
func compile(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	within := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\\' && i+1 < len(pattern):
			i++
			class, ok := classes[pattern[i]|0x20]
			upper := pattern[i] < 'a'
			switch {
			case ok && within && upper:
				return nil, fmt.Errorf(`the pattern %q is not supported: \%c within [ ]`, pattern, pattern[i])
			case ok && within:
				b.WriteString(class)
			case ok && upper:
				b.WriteString("[^" + class + "]")
			case ok:
				b.WriteString("[" + class + "]")
			default:
				b.WriteString(pattern[i-1 : i+1])
			}
			continue
		case c == '[' && within:
			return nil, fmt.Errorf("the pattern %q is not supported: [ within [ ]", pattern)
		case c == '[':
			within = true
		case c == ']' && within:
			within = false
		}
		b.WriteByte(c)
	}
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil, fmt.Errorf("the pattern %q is not supported: %w", pattern, err)
	}
	return re, nil
}
