package subscriptionsapi

import (
	"net/http"

	"github.com/ashlar-cdk/ashlar/internal/api/pages"
)

// unsubscribePage asks for confirmation and changes nothing.
var unsubscribePage = pages.Translation{
	"en": {
		Title:  "Unsubscribe?",
		Text:   "You will no longer receive e-mails from this mailing list.",
		Button: "Unsubscribe",
	},
	"ko": {
		Title:  "구독을 해지하시겠습니까?",
		Text:   "해지하면 더 이상 구독 메일을 보내지 않습니다.",
		Button: "구독 해지",
	},
}

// unsubscribedPage does not reveal whether the address was subscribed.
var unsubscribedPage = pages.Translation{
	"en": {
		Title: "You have been unsubscribed",
		Text: "You will no longer receive e-mails from this mailing list. " +
			"A message already in transit may still arrive. You can subscribe again at any time.",
	},
	"ko": {
		Title: "구독이 해지되었습니다",
		Text: "더 이상 구독 메일을 보내지 않습니다. 이미 발송된 메일은 도착할 수 있습니다. " +
			"언제든지 다시 구독하실 수 있습니다.",
	},
}

// confirmPage asks for confirmation and changes nothing.
var confirmPage = pages.Translation{
	"en": {
		Title:  "Confirm your subscription",
		Text:   "If you did not ask to subscribe, close this page; we will not send you e-mails.",
		Button: "Subscribe",
	},
	"ko": {
		Title:  "구독을 확인해 주세요",
		Text:   "직접 신청하지 않으셨다면 이 페이지를 닫아 주세요. 메일을 보내지 않습니다.",
		Button: "구독하기",
	},
}

var confirmedPage = pages.Translation{
	"en": {
		Title: "Your subscription is confirmed",
		Text:  "We will send you a welcome e-mail. All our e-mails contain a link to unsubscribe.",
	},
	"ko": {
		Title: "구독이 확인되었습니다",
		Text:  "환영 메일을 보내 드립니다. 모든 메일에는 구독을 해지할 수 있는 링크가 있습니다.",
	},
}

// nothingToConfirmPage is shown when the pending subscription was removed, replaced or has expired.
var nothingToConfirmPage = pages.Translation{
	"en": {
		Status: http.StatusNotFound,
		Title:  "There is no subscription to confirm",
		Text: "You have unsubscribed, or a newer e-mail contains another link. " +
			"Please subscribe again if you would like to receive our e-mails.",
	},
	"ko": {
		Status: http.StatusNotFound,
		Title:  "확인할 구독 신청이 없습니다",
		Text: "이미 해지하셨거나 더 최근에 받은 확인 메일이 있습니다. " +
			"메일을 받으시려면 다시 구독을 신청해 주세요.",
	},
}
