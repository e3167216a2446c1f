package notifications

// A Message says where to look. It has no news in it: what there is to tell is in the database, whatever message comes,
// twice, late or never. It comes as JSON, with the attribute event, for filter policies.
type Message struct {
	Recipient string `json:"recipient,omitempty"` // the author of a post with a new comment
	Overdue   bool   `json:"overdue,omitempty"`   // all recipients whose notifications are overdue
}

// What a message's attribute event says.
const (
	EventAttribute = "event"
	CommentCreated = "comment.created"
)

// Attributes are the message's.
func (Message) Attributes() map[string]string {
	return map[string]string{EventAttribute: CommentCreated}
}
