package test

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/test/assembly"
)

// synthStack synthesizes the stack that declare fills. The stack is in a stage, as in the app.
func synthStack(declare func(stack awscdk.Stack)) assembly.Stack {
	app := newApp()
	stage := awscdk.NewStage(app, jsii.String("Test"), nil)
	declare(awscdk.NewStack(stage, jsii.String("Stack"), nil))
	return synth(app)[0]
}

// wantPanic fails the test unless declare panics with an error of exactly these lines, before it
// declares a construct.
func wantPanic(t *testing.T, declare func(stack awscdk.Stack), lines ...string) {
	t.Helper()
	app := newApp()
	stack := awscdk.NewStack(app, jsii.String("Stack"), nil)
	before := len(*stack.Node().FindAll(""))
	got := panicMessage(func() { declare(stack) })
	if want := strings.Join(lines, "\n"); got != want {
		t.Errorf("panics with\n%s\nwant\n%s", got, want)
	}
	if after := len(*stack.Node().FindAll("")); after != before {
		t.Errorf("%d constructs were declared before the panic", after-before)
	}
}
