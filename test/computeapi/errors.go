// SPDX-License-Identifier: Apache-2.0

package computeapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// apiError is what the service answers instead of a result.
type apiError struct {
	code            int
	reason, message string
}

func (e *apiError) Error() string { return e.message }

func refuse(code int, reason, format string, args ...any) error {
	return &apiError{code, reason, fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return refuse(http.StatusBadRequest, "badRequest", format, args...)
}

func invalid(reason, format string, args ...any) error {
	return refuse(http.StatusBadRequest, reason, format, args...)
}

func notFound(path string) error {
	return refuse(http.StatusNotFound, "notFound", "The resource '%s' was not found", path)
}

// statuses are the names of google.rpc.Code that go with the HTTP codes.
var statuses = map[int]string{
	http.StatusBadRequest:          "INVALID_ARGUMENT",
	http.StatusUnauthorized:        "UNAUTHENTICATED",
	http.StatusForbidden:           "PERMISSION_DENIED",
	http.StatusNotFound:            "NOT_FOUND",
	http.StatusConflict:            "ALREADY_EXISTS",
	http.StatusPreconditionFailed:  "FAILED_PRECONDITION",
	http.StatusTooManyRequests:     "RESOURCE_EXHAUSTED",
	http.StatusInternalServerError: "INTERNAL",
	http.StatusNotImplemented:      "UNIMPLEMENTED",
	http.StatusServiceUnavailable:  "UNAVAILABLE",
}

// writeError answers in the error format of Google's APIs.
func writeError(w http.ResponseWriter, err error) {
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{http.StatusInternalServerError, "backendError", err.Error()}
	}
	write(w, e.code, object{"error": object{
		"code":    e.code,
		"message": e.message,
		"errors":  []any{object{"message": e.message, "domain": "global", "reason": e.reason}},
		"status":  statuses[e.code],
	}})
}

func write(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(code)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(body) // a client that has gone away is its own business
}
