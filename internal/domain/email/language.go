package email

import "strings"

// Languages are the languages of mails. Templates have every mail in each of them.
var Languages = []string{"en", "ko"}

// Language returns the one of [Languages] that fits a user's preferred language, a BCP 47 tag such
// as ko-KR: English for every language but Korean.
func Language(tag string) string {
	primary, _, _ := strings.Cut(tag, "-")
	if strings.EqualFold(primary, "ko") {
		return "ko"
	}
	return "en"
}
