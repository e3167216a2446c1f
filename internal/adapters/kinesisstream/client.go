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

// NewClient returns a client whose answers are not lost.
//
// The SDK (smithy-go 1.28) closes a request's body as soon as the answer begins. net/http may not have looked for the body's end by
// then, which it does by WriteTo, if the body has it; of a closed body, smithy's WriteTo says io.EOF, which net/http takes for a
// failure: it ends the connection, and the answer with it. So the call is made again, and the stream has its records twice. It
// takes a large body, and a busy machine. Bodies without WriteTo are read to their end instead.
func NewClient(config aws.Config) *kinesis.Client {
	return kinesis.NewFromConfig(config, func(options *kinesis.Options) {
		options.APIOptions = append(options.APIOptions, func(stack *middleware.Stack) error {
			return stack.Serialize.Add(middleware.SerializeMiddlewareFunc("BodyWithoutWriteTo", withoutWriteTo), middleware.After)
		})
	})
}

func withoutWriteTo(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (out middleware.SerializeOutput, metadata middleware.Metadata, err error) {
	request, ok := in.Request.(*smithyhttp.Request)
	if !ok {
		return out, metadata, fmt.Errorf("kinesisstream: a request is a %T", in.Request)
	}
	if body, ok := request.GetStream().(io.ReadSeeker); ok {
		if in.Request, err = request.SetStream(struct{ io.ReadSeeker }{body}); err != nil {
			return out, metadata, err
		}
	}
	return next.HandleSerialize(ctx, in)
}
