// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/controllers"
)

func TestAnEvenNumberOfControllersIsWarnedOf(t *testing.T) {
	in, _ := sound(t)
	for items, says := range map[string]string{
		"": "", "a=10.0.0.1": "", "a=10.0.0.1,b=10.0.0.2,c=10.0.0.3": "",
		"a=10.0.0.1,b=10.0.0.2":                       "2 etcd members bear the loss of 0, as 1 do",
		"a=10.0.0.1,b=10.0.0.2,c=10.0.0.3,d=10.0.0.4": "4 etcd members bear the loss of 1, as 3 do",
	} {
		var err error
		if in.Controllers, err = controllers.Parse(strings.FieldsFunc(items, func(r rune) bool { return r == ',' })); err != nil {
			t.Fatal(err)
		}
		found := checkControllers(in)
		if says == "" && len(found) > 0 || says != "" && (len(found) != 1 || found[0].IsError() || !strings.Contains(found[0].String(), says)) {
			t.Errorf("%q: %v", items, found)
		}
	}
}

func TestDamagedEtcdDataIsAFinding(t *testing.T) {
	in, _ := sound(t)
	db := filepath.Join(in.Etcd.Dir, "member/snap/db")
	if err := os.MkdirAll(filepath.Dir(db), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, db, strings.Repeat("no database", 1000))
	found := in.check(t.Context())
	if len(found) != 1 || !found[0].IsError() || !strings.Contains(found[0].Problem, db+" cannot be read") ||
		!strings.Contains(found[0].Fix, "khw-controller etcd snapshot restore FILE --root "+in.Config.Root) {
		t.Errorf("got %v", found)
	}
}
