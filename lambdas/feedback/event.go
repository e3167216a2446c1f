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

// A feedback is what SES tells of one mail.
type feedback struct {
	messageID string          // of the mail, as SES has named it
	suppress  []email.Address // nothing may be sent there any more; none, if there is nothing to be done
	complaint bool            // they do not want our mails, where a bounce says nothing about that
	reason    string          // for who lifts a suppression
}

// validation is what SES publishes when a topic becomes the destination of its events.
const validation = "Successfully validated SNS topic for Amazon SES event publishing."

// errNotSES says that a message is not what SES publishes of bounces and complaints.
var errNotSES = errors.New("not a bounce or complaint of SES")

// readFeedback reads an event: "Contents of event data that Amazon SES publishes to Amazon SNS" in the Amazon SES Developer
// Guide.
//
// A bounce suppresses when it is permanent. The others, a full mailbox or an absence, pass; SES itself has tried for hours.
// A complaint suppresses unless it is none of the reader's: that the mail is no spam after all, or that its authentication
// has failed, which is ours to mend.
//
// Whose address it is says the list of whom SES has sent the mail to. Whom it names as bounced, it has from the answer of a
// stranger's server, which may name somebody else: where mails are forwarded, or on purpose, to take others off the list.
func readFeedback(body string) (feedback, error) {
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
		return feedback{}, fmt.Errorf("%w: %w", errNotSES, err)
	}
	read := feedback{messageID: event.Mail.MessageID}
	var named []recipient
	switch bounce, complaint := event.Bounce, event.Complaint; event.EventType {
	case "Bounce":
		switch bounce.BounceType {
		case "Transient", "Undetermined":
			return read, nil
		case "Permanent":
		default:
			return read, fmt.Errorf("%w: bounceType is %q", errNotSES, bounce.BounceType)
		}
		named, read.reason = bounce.BouncedRecipients, formatReason("bounce", bounce.BounceSubType)
	case "Complaint":
		switch complaint.ComplaintFeedbackType {
		case "not-spam", "auth-failure":
			return read, nil
		}
		read.complaint = true
		named, read.reason = complaint.ComplainedRecipients, formatReason("complaint", complaint.ComplaintFeedbackType, complaint.ComplaintSubType)
	default:
		return read, fmt.Errorf("%w: eventType is %q", errNotSES, event.EventType)
	}
	read.suppress = recipients(event.Mail.Destination, named)
	if len(read.suppress) == 0 {
		return read, fmt.Errorf("%w: it names none of %d whom the mail was sent to", errNotSES, len(event.Mail.Destination))
	}
	return read, nil
}

// A recipient is somebody whom SES names.
type recipient struct{ EmailAddress string }

// recipients returns those of the mail's recipients who are named; a mail to one person is about that person.
func recipients(destination []string, named []recipient) []email.Address {
	if len(destination) == 1 {
		if address := parseAddress(destination[0]); address != "" {
			return []email.Address{address}
		}
		return nil
	}
	var addresses []email.Address
	for _, to := range destination {
		address := parseAddress(to)
		if address != "" && slices.ContainsFunc(named, func(r recipient) bool { return parseAddress(r.EmailAddress).Key() == address.Key() }) {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

// parseAddress is an address without a name and brackets. What the parser does not know is taken as it is: Cognito, whose users
// get mails too, has addresses that no standard allows.
func parseAddress(address string) email.Address {
	if parsed, err := mail.ParseAddress(address); err == nil {
		return email.Address(parsed.Address)
	}
	return email.Address(strings.TrimSpace(address))
}

// formatReason is "bounce: General".
func formatReason(kind string, details ...string) string {
	for _, detail := range details {
		if detail != "" {
			kind += ": " + detail
		}
	}
	return kind
}
