package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"github.com/ashlar-cdk/ashlar/internal/profile"
)

// decodeProfile reads a profile from a request's body. It is stricter than encoding/json by itself: names are exact,
// none may come twice, and null is no string. So a client learns of its mistake and not that a field went missing.
func decodeProfile(body []byte) (profile.Profile, error) {
	if !utf8.Valid(body) || !json.Valid(body) {
		return profile.Profile{}, invalidJSON("The body is not JSON in UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if opening, err := decoder.Token(); err != nil || opening != json.Delim('{') {
		return profile.Profile{}, invalidJSON("The body is not a JSON object")
	}
	var p profile.Profile
	targets := map[string]*string{"displayName": &p.DisplayName, "bio": &p.Bio, "language": &p.Language}
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return profile.Profile{}, err
		}
		name, _ := token.(string)
		var value any
		if err := decoder.Decode(&value); err != nil {
			return profile.Profile{}, err
		}
		target, known := targets[name]
		text, isString := value.(string)
		switch {
		case !known:
			return profile.Profile{}, invalidField(name, "is unknown; send only displayName, bio and language")
		case seen[name]:
			return profile.Profile{}, invalidField(name, "comes twice; send it once")
		case !isString:
			return profile.Profile{}, invalidField(name, "is not a string; send text in quotes")
		}
		seen[name] = true
		*target = text
	}
	return p, nil
}

func invalidJSON(problem string) *refusal {
	return &refusal{
		status: http.StatusBadRequest, Code: "invalid_json",
		Message: problem + `; send an object such as {"displayName":"Ada","bio":"","language":"en"}.`,
	}
}

func invalidField(name, problem string) *refusal {
	return &refusal{
		status: http.StatusBadRequest, Code: "invalid_profile",
		Message: name + " " + problem + ".",
		Fields:  []fieldProblem{{Field: name, Problem: problem}},
	}
}
