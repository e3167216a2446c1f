// Package property changes properties of the schemas that huma derives from Go types. A type calls
// it in its method TransformSchema.
package property

import "github.com/danielgtaylor/huma/v2"

// LimitLength sets how many characters a property has at most. It is for limits that the domain
// defines.
func LimitLength(schema *huma.Schema, property string, longest int) {
	schema.Properties[property].MaxLength = &longest
	schema.Properties[property].PrecomputeMessages()
}

// Describe sets the description of a property. It is for texts that are too long for a tag.
func Describe(schema *huma.Schema, property, text string) {
	schema.Properties[property].Description = text
}
