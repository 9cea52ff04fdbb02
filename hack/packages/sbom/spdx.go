// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// unstated is SPDX's word for what nobody has looked into.
const unstated = "NOASSERTION"

// convert turns a CycloneDX document into an SPDX document of that name: the
// program, the modules inside it, and which of them contains which.
func convert(bom *cdx.BOM, name, made string) *spdx.Document {
	d := &spdx.Document{
		SPDXVersion:    spdx.Version,
		DataLicense:    spdx.DataLicense,
		SPDXIdentifier: "DOCUMENT",
		DocumentName:   name,
		// Unique by the name, which has the version and the architecture.
		DocumentNamespace: "https://github.com/khw-controller/khw-controller/sbom/" + name,
		CreationInfo: &spdx.CreationInfo{
			Created:  made,
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "cyclonedx-gomod"}},
		},
	}
	program := packageOf(*bom.Metadata.Component, "program")
	program.PrimaryPackagePurpose = "APPLICATION"
	d.Packages = append(d.Packages, program)
	d.Relationships = append(d.Relationships, related("DOCUMENT", common.TypeRelationshipDescribe, "program"))
	for i, c := range *bom.Components {
		id := common.ElementID(fmt.Sprintf("module-%d", i))
		d.Packages = append(d.Packages, packageOf(c, id))
		d.Relationships = append(d.Relationships, related("program", common.TypeRelationshipContains, id))
	}
	return d
}

func related(from common.ElementID, how string, to common.ElementID) *spdx.Relationship {
	return &spdx.Relationship{
		RefA:         common.DocElementID{ElementRefID: from},
		RefB:         common.DocElementID{ElementRefID: to},
		Relationship: how,
	}
}

func packageOf(c cdx.Component, id common.ElementID) *spdx.Package {
	p := &spdx.Package{
		PackageName:             c.Name,
		PackageSPDXIdentifier:   id,
		PackageVersion:          c.Version,
		PackageDownloadLocation: unstated,
		PackageLicenseConcluded: unstated,
		PackageLicenseDeclared:  licenseOf(c),
		PackageCopyrightText:    unstated,
	}
	if c.PackageURL != "" {
		p.PackageExternalReferences = []*spdx.PackageExternalReference{{
			Category: "PACKAGE-MANAGER", RefType: "purl", Locator: c.PackageURL,
		}}
	}
	if c.Hashes != nil {
		for _, h := range *c.Hashes {
			algorithm := common.ChecksumAlgorithm(strings.ReplaceAll(string(h.Algorithm), "-", ""))
			p.PackageChecksums = append(p.PackageChecksums, common.Checksum{Algorithm: algorithm, Value: h.Value})
		}
	}
	return p
}

// licenseOf returns the expression for a component's licences as far as they were
// recognised.
func licenseOf(c cdx.Component) string {
	var ids []string
	choices := cdx.Licenses{}
	if c.Evidence != nil && c.Evidence.Licenses != nil {
		choices = *c.Evidence.Licenses
	} else if c.Licenses != nil {
		choices = *c.Licenses
	}
	for _, choice := range choices {
		if choice.License != nil && choice.License.ID != "" {
			ids = append(ids, choice.License.ID)
		}
	}
	if len(ids) == 0 {
		return unstated
	}
	return strings.Join(ids, " AND ")
}
