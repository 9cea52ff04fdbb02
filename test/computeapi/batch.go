// SPDX-License-Identifier: Apache-2.0

package computeapi

import (
	"bufio"
	"fmt"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
)

// batchPath is where gcloud sends several requests in one; Google's guide to
// batch requests has the format.
const batchPath = "/batch/compute/v1"

// batch answers each part of a batch as if it had come alone.
func (s *Server) batch(w http.ResponseWriter, r *http.Request) {
	_, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		writeError(w, badRequest("The batch's Content-Type is not multipart/mixed: %s", err))
		return
	}
	answer := multipart.NewWriter(w)
	parts := multipart.NewReader(r.Body, parameters["boundary"])
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		if err != nil {
			if n == 0 {
				writeError(w, badRequest("The batch cannot be read: %s", err))
				return
			}
			_ = answer.Close() // a client that has gone away is its own business
			return
		}
		if n == 0 {
			w.Header().Set("Content-Type", "multipart/mixed; boundary="+answer.Boundary())
		}
		s.answerPart(answer, part)
	}
}

func (s *Server) answerPart(answer *multipart.Writer, part *multipart.Part) {
	recorder := httptest.NewRecorder()
	inner, err := readPart(part)
	if err != nil {
		writeError(recorder, badRequest("A part of the batch is no request: %s", err))
	} else {
		s.ServeHTTP(recorder, inner)
	}
	id := strings.TrimPrefix(part.Header.Get("Content-Id"), "<")
	w, err := answer.CreatePart(textproto.MIMEHeader{
		"Content-Type": {"application/http"},
		"Content-Id":   {"<response-" + id},
	})
	if err != nil {
		return // the client has gone
	}
	fmt.Fprintf(w, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n\r\n%s", recorder.Code, http.StatusText(recorder.Code), recorder.Header().Get("Content-Type"), recorder.Body)
}

// readPart reads a request whose body ends with its part, as batches have it.
func readPart(part *multipart.Part) (*http.Request, error) {
	text := bufio.NewReader(part)
	r, err := http.ReadRequest(text)
	if err != nil {
		return nil, err
	}
	if r.ContentLength <= 0 {
		r.Body = http.NoBody
	}
	return r, nil
}
