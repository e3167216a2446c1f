package dynamodbstore

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
)

// Suppress has nothing sent to an address any more, for a reason that whoever lifts it by hand should know. The first
// reason stays.
func (l *MailingList) Suppress(ctx context.Context, address, reason string, at time.Time) error {
	suppression := key(address, mailinglist.Suppressed)
	suppression["Reason"] = text(reason)
	suppression["CreatedAt"] = text(at.UTC().Format(timeLayout))
	_, err := l.API.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &l.Table, Item: suppression, ConditionExpression: aws.String("attribute_not_exists(Address)"),
	}, callOptions)
	if _, refused := failedCondition(err); refused {
		return nil
	}
	return wrap("suppress an address", err)
}

// Suppressed tells whether nothing may be sent to an address.
func (l *MailingList) Suppressed(ctx context.Context, address string) (bool, error) {
	suppression, err := l.get(ctx, address, mailinglist.Suppressed)
	return suppression != nil, err
}
