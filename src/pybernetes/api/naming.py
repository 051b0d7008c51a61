"""Python names to JSON names. The API writes lowerCamelCase, with some acronyms kept whole."""

#: Fields whose JSON name is not the plain camelCase of the Python name.
ACRONYMS = {
    "boot_id": "bootID",
    "client_cidr": "clientCIDR",
    "client_ip": "clientIP",
    "cluster_ip": "clusterIP",
    "cluster_ips": "clusterIPs",
    "container_id": "containerID",
    "dataset_uuid": "datasetUUID",
    "disk_uri": "diskURI",
    "downward_api": "downwardAPI",
    "external_id": "externalID",
    "external_ips": "externalIPs",
    "host_ip": "hostIP",
    "host_ipc": "hostIPC",
    "host_ips": "hostIPs",
    "host_pid": "hostPID",
    "image_id": "imageID",
    "load_balancer_ip": "loadBalancerIP",
    "machine_id": "machineID",
    "non_resource_urls": "nonResourceURLs",
    "pd_id": "pdID",
    "pod_cidr": "podCIDR",
    "pod_cidrs": "podCIDRs",
    "pod_ip": "podIP",
    "pod_ips": "podIPs",
    "provider_id": "providerID",
    "resource_id": "resourceID",
    "scale_io": "scaleIO",
    "set_hostname_as_fqdn": "setHostnameAsFQDN",
    "storage_policy_id": "storagePolicyID",
    "system_uuid": "systemUUID",
    "volume_id": "volumeID",
    "server_address_by_client_cidrs": "serverAddressByClientCIDRs",
    "target_wwns": "targetWWNs",
    "fields_v1": "fieldsV1",
}


def camel(name: str) -> str:
    """`node_name` -> `nodeName`, `pod_ip` -> `podIP`, `continue_` -> `continue`."""
    known = ACRONYMS.get(name)
    if known is not None:
        return known
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
