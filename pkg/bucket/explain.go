// SPDX-License-Identifier: Apache-2.0

package bucket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/khw-controller/khw-controller/pkg/connerr"
)

// failure says in one line what is to be done, and keeps the SDK's error, which has
// several lines' worth of request ids and wrapping.
type failure struct {
	text  string
	cause error
}

func (e *failure) Error() string { return e.text }
func (e *failure) Unwrap() error { return e.cause }

// explain says why doing something did not work, and the fix where there is one.
func (b *Bucket) explain(doing string, err error) error {
	why, fix := b.reason(err)
	text := doing + ": " + why
	if fix != "" {
		text += "; " + fix
	}
	return &failure{text, err}
}

func (b *Bucket) reason(err error) (why, fix string) {
	var api smithy.APIError
	code := ""
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	if says, ok := b.codes()[code]; ok {
		return fmt.Sprintf("%s (%s)", says[0], code), says[1]
	}
	var (
		file     *fs.PathError
		unsent   *smithyhttp.RequestSendError
		response *awshttp.ResponseError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return "it was interrupted", ""
	case errors.As(err, &file):
		return file.Error(), ""
	case errors.As(err, &unsent), errors.Is(err, context.DeadlineExceeded):
		_, words := connerr.Explain(err)
		return b.store() + " " + words, "check " + endpointFlag + " and the network; for a CA of one's own, set " + caFlag
	case strings.Contains(err.Error(), checksumMismatch):
		return "it is damaged there: it does not have the checksum with which it was put", "take another one"
	case code != "" && errors.As(err, &response) && response.HTTPStatusCode() >= 500:
		return fmt.Sprintf("the store failed (%s)", code), "try again"
	case code != "":
		return fmt.Sprintf("%s (%s)", connerr.OneLine(errors.New(api.ErrorMessage())), code), ""
	}
	return connerr.OneLine(err), ""
}

// checksumMismatch is in the SDK's error for that, which has no type that others
// know (service/internal/checksum, algorithms.go).
const checksumMismatch = "checksum did not match"

// store is who is asked.
func (b *Bucket) store() string {
	if endpoint := b.client.Options().BaseEndpoint; endpoint != nil {
		return *endpoint
	}
	return "S3"
}

// codes are S3's own words for what is wrong, in ours, with the fix. A HEAD has no
// words, only a status.
func (b *Bucket) codes() map[string][2]string {
	const (
		credentials = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the role of this machine"
		policy      = "allow s3:ListBucket on the bucket, and s3:PutObject, s3:GetObject and s3:DeleteObject on what is in it"
	)
	denied := [2]string{"these credentials may not do that", policy}
	region := [2]string{"the bucket is in another region than " + b.client.Options().Region, "correct " + regionFlag}
	gone := [2]string{"it is not there", "khw-controller etcd snapshot list shows what is"}
	refused := [2]string{"the store does not accept the credentials", credentials}
	expired := [2]string{"the credentials have expired", "get new ones"}
	return map[string][2]string{
		"NoSuchBucket":                 {"there is no bucket " + b.config.Name, "make it, or correct " + bucketFlag},
		"NoSuchKey":                    gone,
		"NotFound":                     gone,
		"AccessDenied":                 denied,
		"Forbidden":                    denied,
		"InvalidAccessKeyId":           refused,
		"SignatureDoesNotMatch":        refused,
		"ExpiredToken":                 expired,
		"TokenRefreshRequired":         expired,
		"RequestTimeTooSkewed":         {"this machine's clock and the store's differ by more than 15 minutes", "set the clock: timedatectl set-ntp true"},
		"PermanentRedirect":            region,
		"MovedPermanently":             region,
		"AuthorizationHeaderMalformed": region,
		"BadDigest":                    {"what arrived does not have its checksum", "try again"},
		"XAmzContentSHA256Mismatch":    {"what arrived does not have its checksum", "try again"},
		"QuotaExceeded":                {"the store's quota is used up", "delete what is not needed there"},
	}
}
