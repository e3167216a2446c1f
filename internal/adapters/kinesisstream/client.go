package kinesisstream

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// NewClient returns a client that does not lose responses to requests with large bodies.
//
// The SDK (smithy-go 1.28) closes a request's body as soon as the response begins. At that time
// net/http may still be looking for the end of the body, which it does with WriteTo if the body has
// that method. The WriteTo of smithy returns io.EOF for a closed body; net/http treats that as a
// failure and closes the connection, so that the response is lost. The call is then retried, and
// the stream has its records twice. This needs a large body and a busy machine. Bodies without
// WriteTo are read to their end instead.
func NewClient(config aws.Config) *kinesis.Client {
	return kinesis.NewFromConfig(config, func(options *kinesis.Options) {
		options.APIOptions = append(options.APIOptions, func(stack *middleware.Stack) error {
			return stack.Serialize.Add(
				middleware.SerializeMiddlewareFunc("BodyWithoutWriteTo", withoutWriteTo),
				middleware.After)
		})
	})
}

func withoutWriteTo(
	ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler,
) (out middleware.SerializeOutput, metadata middleware.Metadata, err error) {
	request, ok := in.Request.(*smithyhttp.Request)
	if !ok {
		err = fmt.Errorf("kinesisstream: the request is a %T, want a %T", in.Request, request)
		return out, metadata, err
	}
	if body, ok := request.GetStream().(io.ReadSeeker); ok {
		if in.Request, err = request.SetStream(struct{ io.ReadSeeker }{body}); err != nil {
			return out, metadata, err
		}
	}
	return next.HandleSerialize(ctx, in)
}
