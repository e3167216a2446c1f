package notifications

// A Message triggers the mails of one recipient or all overdue mails. It carries no content: the
// notifications are in the database, so that a message may arrive twice, late or never. It is JSON,
// with the attribute event for filter policies.
type Message struct {
	Recipient string `json:"recipient,omitempty"` // the author of a post with a new comment
	Overdue   bool   `json:"overdue,omitempty"`   // all recipients whose notifications are overdue
}

// The attribute of messages, and its value.
const (
	EventAttribute = "event"
	CommentCreated = "comment.created"
)

// Attributes returns the message's attributes.
func (Message) Attributes() map[string]string {
	return map[string]string{EventAttribute: CommentCreated}
}
