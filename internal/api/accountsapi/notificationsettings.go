package accountsapi

import (
	"context"

	"github.com/ashlar-cdk/ashlar/internal/api/rest"
)

// A NotificationSettingsPath has what the link of a mail about comments ends with.
type NotificationSettingsPath struct {
	Token string `path:"token" doc:"What the link in the mail ends with"`
}

func (h *Handlers) askToDisableCommentNotifications(ctx context.Context, in *NotificationSettingsPath) (rest.Page, error) {
	opened, err := h.Links.OpenNotificationSettings(ctx, in.Token)
	return disablePage.In(opened.Language), err
}

func (h *Handlers) disableCommentNotifications(ctx context.Context, in *NotificationSettingsPath) (rest.Page, error) {
	opened, err := h.Links.OpenNotificationSettings(ctx, in.Token)
	if err != nil {
		return rest.Page{}, err
	}
	return disabledPage.In(opened.Language), h.Accounts.DisableCommentNotifications(ctx, opened.Subject)
}

var disablePage = rest.Translation{
	"en": {
		Title:  "No more mails about comments?",
		Text:   "You will not be told by mail any more when somebody comments on your posts.",
		Button: "Stop these mails",
	},
	"ko": {
		Title:  "댓글 알림 메일을 끄시겠습니까?",
		Text:   "작성하신 글에 댓글이 달려도 더 이상 메일로 알리지 않습니다.",
		Button: "알림 메일 끄기",
	},
}

var disabledPage = rest.Translation{
	"en": {
		Title: "Mails about comments are off",
		Text:  "You are not told by mail any more when somebody comments on your posts. You can change this in your profile.",
	},
	"ko": {
		Title: "댓글 알림 메일을 껐습니다",
		Text:  "작성하신 글에 댓글이 달려도 더 이상 메일로 알리지 않습니다. 프로필에서 언제든지 다시 켤 수 있습니다.",
	},
}
