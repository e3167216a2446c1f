package accountsapi

import (
	"context"

	"github.com/ashlar-cdk/ashlar/internal/api/pages"
)

// A NotificationSettingsPath holds the path parameter of the link in a comment notification.
type NotificationSettingsPath struct {
	Token string `path:"token" doc:"Last segment of the link in the e-mail"`
}

func (h *Handlers) askToDisableCommentNotifications(
	ctx context.Context, in *NotificationSettingsPath,
) (pages.Page, error) {
	opened, err := h.Links.OpenNotificationSettings(ctx, in.Token)
	return disablePage.In(opened.Language), err
}

func (h *Handlers) disableCommentNotifications(
	ctx context.Context, in *NotificationSettingsPath,
) (pages.Page, error) {
	opened, err := h.Links.OpenNotificationSettings(ctx, in.Token)
	if err != nil {
		return pages.Page{}, err
	}
	return disabledPage.In(opened.Language),
		h.Accounts.DisableCommentNotifications(ctx, opened.Subject)
}

var disablePage = pages.Translation{
	"en": {
		Title:  "Turn off comment notifications?",
		Text:   "You will no longer get an e-mail when someone comments on your posts.",
		Button: "Turn off",
	},
	"ko": {
		Title:  "댓글 알림 메일을 끄시겠습니까?",
		Text:   "작성하신 글에 댓글이 달려도 더 이상 메일로 알리지 않습니다.",
		Button: "알림 메일 끄기",
	},
}

var disabledPage = pages.Translation{
	"en": {
		Title: "Comment notifications are off",
		Text: "You will no longer get an e-mail when someone comments on your posts. " +
			"You can turn notifications on again in your profile.",
	},
	"ko": {
		Title: "댓글 알림 메일을 껐습니다",
		Text: "작성하신 글에 댓글이 달려도 더 이상 메일로 알리지 않습니다. " +
			"프로필에서 언제든지 다시 켤 수 있습니다.",
	},
}
