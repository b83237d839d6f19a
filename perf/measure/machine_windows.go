package measure

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows/registry"
)

// virtualisation reads the strings that the firmware gave to the registry.
func (factHost) virtualisation() (_ string, err error) {
	const path = `HARDWARE\DESCRIPTION\System\BIOS`
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE)
	if err != nil {
		return "", fmt.Errorf(`HKLM\%s: %w`, path, err)
	}
	defer func() { err = errors.Join(err, key.Close()) }()
	vendor, _, err := key.GetStringValue("SystemManufacturer")
	if err != nil {
		return "", fmt.Errorf(`HKLM\%s: SystemManufacturer: %w`, path, err)
	}
	product, _, err := key.GetStringValue("SystemProductName")
	if err != nil {
		return "", fmt.Errorf(`HKLM\%s: SystemProductName: %w`, path, err)
	}
	if name := virtVendor(vendor, product); name != "" {
		return name, nil
	}
	return virtNone, nil
}
