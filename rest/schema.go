package rest

import (
	"fmt"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// draft4 converts a schema to JSON schema draft 4, which API Gateway validates by: "Data models for
// REST APIs" in the API Gateway Developer Guide. It inlines references. It drops what the gateway
// does not use, descriptions and formats. It panics on what the gateway would misread and on a
// recursive type, which are mistakes in the table.
func draft4(registry huma.Registry, schema *huma.Schema, within ...string) map[string]any {
	if schema.Ref != "" {
		if slices.Contains(within, schema.Ref) {
			panic(
				fmt.Errorf("rest: request type %s is recursive; API Gateway does not support that",
					schema.Ref))
		}
		within = append(slices.Clone(within), schema.Ref)
		schema = registry.SchemaFromRef(schema.Ref)
	}
	_, open := schema.AdditionalProperties.(*huma.Schema)
	if open || schema.OneOf != nil || schema.AnyOf != nil || schema.AllOf != nil ||
		schema.Not != nil || len(schema.DependentRequired) > 0 ||
		schema.ExclusiveMinimum != nil || schema.ExclusiveMaximum != nil ||
		schema.MultipleOf != nil || schema.UniqueItems ||
		schema.MinProperties != nil || schema.MaxProperties != nil || schema.Type == "" {
		panic(fmt.Errorf("rest: schema of a request is not supported by API Gateway: %+v", schema))
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

// LimitLength sets how many characters a property of a schema has at most. A type calls it in its
// TransformSchema where the domain defines the limit.
func LimitLength(schema *huma.Schema, property string, longest int) {
	schema.Properties[property].MaxLength = &longest
	schema.Properties[property].PrecomputeMessages()
}

// Describe sets the description of a property of a schema. A type calls it in its TransformSchema
// where the text is too long for a tag.
func Describe(schema *huma.Schema, property, text string) {
	schema.Properties[property].Description = text
}
