package email

import "strings"

// Languages are those that mails are written in. Templates have every mail in each of them.
var Languages = []string{"en", "ko"}

// Language is the one of [Languages] for whoever prefers the language of tag, a BCP 47 tag such as ko-KR: English for all
// who do not prefer Korean.
func Language(tag string) string {
	primary, _, _ := strings.Cut(tag, "-")
	if strings.EqualFold(primary, "ko") {
		return "ko"
	}
	return "en"
}
