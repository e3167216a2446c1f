package awstest

import (
	"encoding/json"
	"net/http"
	"testing"
)

// SecretsManager is a fake AWS Secrets Manager: AWS_ENDPOINT_URL_SECRETS_MANAGER.
type SecretsManager struct {
	service
	URL string

	secrets map[string]string // guarded by service.mu
}

// StartSecretsManager returns a fake without secrets that runs until the test ends.
func StartSecretsManager(t testing.TB) *SecretsManager {
	s := &SecretsManager{secrets: map[string]string{}}
	s.URL = start(t, s.serve)
	return s
}

// PutSecret sets the current value of the secret with the given ARN, like its creation and every
// rotation.
func (s *SecretsManager) PutSecret(arn, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets[arn] = value
}

func (s *SecretsManager) serve(w http.ResponseWriter, r *http.Request) {
	if !signed(r, "secretsmanager") {
		jsonError(w, http.StatusBadRequest, "MissingAuthenticationTokenException",
			"Missing Authentication Token")
		return
	}
	if r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" {
		jsonError(w, http.StatusBadRequest, "UnknownOperationException", "")
		return
	}
	var request struct{ SecretId string }
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		jsonError(w, http.StatusBadRequest, "SerializationException", "")
		return
	}
	fault := s.record(r, Call{Action: "secretsmanager:GetSecretValue", Resource: request.SecretId})
	if fault.Status != 0 {
		jsonError(w, fault.Status, fault.Code, "")
		return
	}
	s.mu.Lock()
	value, ok := s.secrets[request.SecretId]
	s.mu.Unlock()
	if !ok {
		jsonError(w, http.StatusBadRequest, "ResourceNotFoundException",
			"Secrets Manager can't find the specified secret.")
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"ARN":           request.SecretId,
		"CreatedDate":   1793491200.0,
		"Name":          "secret",
		"SecretString":  value,
		"VersionId":     requestID,
		"VersionStages": []string{"AWSCURRENT"},
	})
}
