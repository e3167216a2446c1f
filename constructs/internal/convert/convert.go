// Package convert converts Go values to the types of the CDK's generated API.
package convert

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// Duration converts d, which the CDK counts in milliseconds.
func Duration(d time.Duration) awscdk.Duration {
	return awscdk.Duration_Millis(jsii.Number(d.Milliseconds()))
}

// List converts a slice to the type of a generated property; nil stays nil, which omits the
// property.
func List[T any](items []T) *[]T {
	if items == nil {
		return nil
	}
	return &items
}

// Properties converts the properties of a custom resource, a struct of its function's contract.
func Properties(contract any) *map[string]any {
	encoded, err := json.Marshal(contract)
	if err != nil {
		panic(fmt.Errorf("convert: %w", err))
	}
	var decoded map[string]any
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		panic(fmt.Errorf("convert: %w", err))
	}
	return &decoded
}

// ConstructID converts a table's name to a construct id: daily_actives to DailyActives.
func ConstructID(name string) string {
	id := ""
	for word := range strings.SplitSeq(name, "_") {
		id += strings.ToUpper(word[:1]) + word[1:]
	}
	return id
}
