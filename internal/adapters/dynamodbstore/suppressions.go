package dynamodbstore

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/ashlar-cdk/ashlar/internal/domain/mailinglist"
	"github.com/ashlar-cdk/ashlar/mailinglisttable"
)

// Suppress suppresses an address: no mail is sent to it afterwards. It stores the reason for the
// operator who lifts the suppression by hand. The first reason is kept.
func (l *MailingList) Suppress(ctx context.Context, address, reason string, at time.Time) error {
	suppression, err := encode(mailinglisttable.Item{
		Address: address, Kind: mailinglisttable.Suppressed,
		CreatedAt: at.UTC().Format(mailinglisttable.TimeLayout), Reason: reason,
	})
	if err != nil {
		return err
	}
	_, err = l.API.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &l.Table, Item: suppression,
		ConditionExpression: aws.String("attribute_not_exists(Address)"),
	}, callOptions)
	if _, failed := failedCondition(err); failed {
		return nil
	}
	return wrap("suppress an address", err)
}

// Suppressed reports whether an address is suppressed.
func (l *MailingList) Suppressed(ctx context.Context, address string) (bool, error) {
	suppression, err := l.get(ctx, address, mailinglist.Suppressed)
	return suppression != nil, err
}
