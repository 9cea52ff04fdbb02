// SPDX-License-Identifier: Apache-2.0

package address

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOnlyTheCloudThatTheFirmwareNamesIsAsked(t *testing.T) {
	for name, test := range map[string]struct {
		files, env map[string]string
		gcp, aws   bool
	}{
		"no DMI":              {},
		"GCP":                 {files: map[string]string{"product_name": "Google Compute Engine\n", "sys_vendor": "Google\n", "bios_vendor": "Google\n"}, gcp: true},
		"GCP, an old machine": {files: map[string]string{"product_name": "Google\n"}, gcp: true},
		"AWS, Nitro":          {files: map[string]string{"product_name": "m7g.large\n", "sys_vendor": "Amazon EC2\n", "bios_vendor": "Amazon EC2\n", "bios_version": "1.0\n"}, aws: true},
		"AWS, Xen":            {files: map[string]string{"product_name": "HVM domU\n", "sys_vendor": "Xen\n", "bios_vendor": "Xen\n", "bios_version": "4.11.amazon\n"}, aws: true},
		"Xen elsewhere":       {files: map[string]string{"product_name": "HVM domU\n", "sys_vendor": "Xen\n", "bios_version": "4.11\n"}},
		"a Chromebook":        {files: map[string]string{"product_name": "Eve\n", "sys_vendor": "Google\n", "bios_vendor": "coreboot\n"}},
		"OpenStack":           {files: map[string]string{"product_name": "OpenStack Nova\n", "sys_vendor": "OpenStack Foundation\n"}},
		"a server":            {files: map[string]string{"product_name": "PowerEdge R640\n", "sys_vendor": "Dell Inc.\n", "bios_version": "2.19.1\n"}},
		"told where, GCP":     {env: map[string]string{"GCE_METADATA_HOST": "127.0.0.1:1"}, gcp: true},
		"told where, AWS":     {env: map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"}, aws: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range test.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			d := readDMI(dir)
			none := func(string) string { return "" }
			if test.env == nil && (d.suggestsGCP() != test.gcp || d.suggestsAWS() != test.aws) {
				t.Errorf("GCP %v, AWS %v", d.suggestsGCP(), d.suggestsAWS())
			}
			want := 0
			for _, asked := range []bool{test.gcp, test.aws} {
				if asked {
					want++
				}
			}
			getenv := none
			if test.env != nil {
				getenv = func(name string) string { return test.env[name] }
			}
			if got := d.clouds(getenv); len(got) != want {
				t.Errorf("%d are asked, want %d", len(got), want)
			}
		})
	}
}
