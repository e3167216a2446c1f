package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"github.com/ashlar-cdk/ashlar/internal/domain/email"
)

// A feedback is a bounce or complaint about one mail.
type feedback struct {
	messageID string          // of the mail, assigned by SES
	suppress  []email.Address // addresses to suppress; empty if there is nothing to do
	complaint bool            // the recipients do not want our mails; unknown after a bounce
	reason    string          // for the operator who removes a suppression
}

// validation is the message of SES when a topic becomes the destination of its events.
const validation = "Successfully validated SNS topic for Amazon SES event publishing."

// errInvalidEvent reports a message that is not a bounce or complaint event of SES.
var errInvalidEvent = errors.New("not a bounce or complaint event of SES")

// parseFeedback parses an event: "Contents of event data that Amazon SES publishes to Amazon SNS"
// in the Amazon SES Developer Guide.
//
// Only a permanent bounce suppresses an address. Other bounces, such as a full mailbox or an
// out-of-office reply, are temporary; SES itself has retried for hours. A complaint suppresses an
// address unless it does not come from the recipient: reports that the mail is not spam after all,
// or that its authentication failed, which the sender has to fix.
//
// The suppressed addresses come from the list of the mail's destinations. The bounced recipients of
// the event come from the response of a third party's server, which may name other addresses: where
// mails are forwarded, or on purpose, to remove others from the list.
func parseFeedback(body string) (feedback, error) {
	if body == validation {
		return feedback{}, nil
	}
	var event struct {
		EventType string
		Mail      struct {
			MessageID   string
			Destination []string
		}
		Bounce struct {
			BounceType, BounceSubType string
			BouncedRecipients         []recipient
		}
		Complaint struct {
			ComplaintFeedbackType, ComplaintSubType string
			ComplainedRecipients                    []recipient
		}
	}
	if err := json.Unmarshal([]byte(body), &event); err != nil {
		return feedback{}, fmt.Errorf("%w: %w", errInvalidEvent, err)
	}
	parsed := feedback{messageID: event.Mail.MessageID}
	var named []recipient
	switch bounce, complaint := event.Bounce, event.Complaint; event.EventType {
	case "Bounce":
		switch bounce.BounceType {
		case "Transient", "Undetermined":
			return parsed, nil
		case "Permanent":
		default:
			return parsed, fmt.Errorf("%w: bounceType is %q", errInvalidEvent, bounce.BounceType)
		}
		named = bounce.BouncedRecipients
		parsed.reason = formatReason("bounce", bounce.BounceSubType)
	case "Complaint":
		switch complaint.ComplaintFeedbackType {
		case "not-spam", "auth-failure":
			return parsed, nil
		}
		parsed.complaint = true
		named = complaint.ComplainedRecipients
		parsed.reason = formatReason("complaint",
			complaint.ComplaintFeedbackType, complaint.ComplaintSubType)
	default:
		return parsed, fmt.Errorf("%w: eventType is %q", errInvalidEvent, event.EventType)
	}
	parsed.suppress = affected(event.Mail.Destination, named)
	if len(parsed.suppress) == 0 {
		return parsed, fmt.Errorf("%w: it names none of the mail's %d recipients",
			errInvalidEvent, len(event.Mail.Destination))
	}
	return parsed, nil
}

// A recipient is a recipient in an event.
type recipient struct{ EmailAddress string }

// affected returns the destinations of the mail that the event names. If there is only one, the
// event is about it, regardless of the names in it.
func affected(destination []string, named []recipient) []email.Address {
	if len(destination) == 1 {
		if address := parseAddress(destination[0]); address != "" {
			return []email.Address{address}
		}
		return nil
	}
	var addresses []email.Address
	for _, to := range destination {
		address := parseAddress(to)
		isNamed := slices.ContainsFunc(named, func(r recipient) bool {
			return parseAddress(r.EmailAddress).Key() == address.Key()
		})
		if address != "" && isNamed {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

// parseAddress returns an address without its name and brackets. It returns an address that the
// parser rejects unchanged: Cognito, whose users receive mails too, accepts addresses that no
// standard allows.
func parseAddress(address string) email.Address {
	if parsed, err := mail.ParseAddress(address); err == nil {
		return email.Address(parsed.Address)
	}
	return email.Address(strings.TrimSpace(address))
}

// formatReason returns a reason such as "bounce: General".
func formatReason(kind string, details ...string) string {
	for _, detail := range details {
		if detail != "" {
			kind += ": " + detail
		}
	}
	return kind
}
