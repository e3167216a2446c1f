package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"

	"github.com/ashlar-cdk/ashlar/constructs/telemetry"
	"github.com/ashlar-cdk/ashlar/environments"
)

// Telemetry is the stack of readings.
type Telemetry struct {
	Telemetry *telemetry.Telemetry
}

// NewTelemetry declares the stream.
func NewTelemetry(stage awscdk.Stage, env environments.Environment) *Telemetry {
	stack := newStack(stage, "Telemetry", "Readings of devices and clients", env)
	return &Telemetry{Telemetry: telemetry.New(stack, "Telemetry", telemetry.Props{})}
}
