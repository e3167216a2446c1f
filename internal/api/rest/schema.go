package rest

import (
	"fmt"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// draft4 is a schema in the words of JSON schema draft 4, which is what API Gateway validates by: "Data models for REST
// APIs" in the API Gateway Developer Guide. References are written out. What a gateway has no use for, descriptions and
// formats, is left out; what it would misread is a mistake in the table, as is a type within itself.
func draft4(registry huma.Registry, schema *huma.Schema, within ...string) map[string]any {
	if schema.Ref != "" {
		if slices.Contains(within, schema.Ref) {
			panic(fmt.Errorf("rest: a request has the type %s within itself, which API Gateway cannot be told", schema.Ref))
		}
		within = append(slices.Clone(within), schema.Ref)
		schema = registry.SchemaFromRef(schema.Ref)
	}
	_, open := schema.AdditionalProperties.(*huma.Schema)
	if open || schema.OneOf != nil || schema.AnyOf != nil || schema.AllOf != nil || schema.Not != nil || len(schema.DependentRequired) > 0 ||
		schema.ExclusiveMinimum != nil || schema.ExclusiveMaximum != nil || schema.MultipleOf != nil || schema.UniqueItems ||
		schema.MinProperties != nil || schema.MaxProperties != nil || schema.Type == "" {
		panic(fmt.Errorf("rest: a request has a schema that API Gateway is not told: %+v", schema))
	}
	converted := map[string]any{"type": schema.Type}
	if schema.Nullable {
		converted["type"] = []string{schema.Type, "null"}
	}
	set := func(keyword string, value any, given bool) {
		if given {
			converted[keyword] = value
		}
	}
	set("enum", schema.Enum, schema.Enum != nil)
	set("pattern", schema.Pattern, schema.Pattern != "")
	set("minLength", schema.MinLength, schema.MinLength != nil)
	set("maxLength", schema.MaxLength, schema.MaxLength != nil)
	set("minimum", schema.Minimum, schema.Minimum != nil)
	set("maximum", schema.Maximum, schema.Maximum != nil)
	set("minItems", schema.MinItems, schema.MinItems != nil)
	set("maxItems", schema.MaxItems, schema.MaxItems != nil)
	if schema.Items != nil {
		converted["items"] = draft4(registry, schema.Items, within...)
	}
	if schema.Type == huma.TypeObject {
		properties := map[string]any{}
		for name, property := range schema.Properties {
			properties[name] = draft4(registry, property, within...)
		}
		converted["properties"] = properties
		converted["additionalProperties"] = schema.AdditionalProperties == any(true)
		set("required", schema.Required, len(schema.Required) > 0)
	}
	return converted
}

// LimitLength lets the property of a schema have no more characters than most. A type calls it in its TransformSchema
// where the number is the domain's.
func LimitLength(schema *huma.Schema, property string, most int) {
	schema.Properties[property].MaxLength = &most
	schema.Properties[property].PrecomputeMessages()
}
