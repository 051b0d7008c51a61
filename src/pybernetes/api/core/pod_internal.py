"""A pod's spec as the structs of kube-apiserver hold it in memory: the names of their fields in Go, in order."""

FIELDS = {
    # Struct -> its fields. `Name:attribute` where our attribute has another name, not only another spelling. `*Name` is
    # a pointer to a string or a boolean: null when ours is empty. `Name=zero` is a plain value: `zero` when ours is
    # None. `+Struct` embeds the fields of a struct; `+Struct:attribute` those that ours has in a struct of their own.
    "PodSpec": (
        "Volumes InitContainers Containers EphemeralContainers RestartPolicy TerminationGracePeriodSeconds "
        "ActiveDeadlineSeconds DNSPolicy NodeSelector ServiceAccountName DeprecatedServiceAccount:service_account "
        "AutomountServiceAccountToken NodeName HostNetwork HostPID HostIPC ShareProcessNamespace SecurityContext "
        "ImagePullSecrets Hostname Subdomain Affinity SchedulerName Tolerations HostAliases PriorityClassName "
        "Priority DNSConfig ReadinessGates RuntimeClassName EnableServiceLinks *PreemptionPolicy Overhead "
        "TopologySpreadConstraints SetHostnameAsFQDN OS HostUsers SchedulingGates ResourceClaims Resources "
        "*HostnameOverride SchedulingGroup EvictionResponders"
    ),
    "Volume": "Name +VolumeSource",
    "VolumeSource": (
        "HostPath EmptyDir GCEPersistentDisk AWSElasticBlockStore GitRepo Secret NFS ISCSI Glusterfs "
        "PersistentVolumeClaim RBD FlexVolume Cinder CephFS Flocker DownwardAPI FC AzureFile ConfigMap "
        "VsphereVolume Quobyte AzureDisk PhotonPersistentDisk Projected PortworxVolume ScaleIO StorageOS CSI "
        "Ephemeral Image"
    ),
    "HostPathVolumeSource": "Path *Type",
    "EmptyDirVolumeSource": "Medium SizeLimit Mode",
    "GCEPersistentDiskVolumeSource": "PDName FSType Partition=0 ReadOnly",
    "AWSElasticBlockStoreVolumeSource": "VolumeID FSType Partition=0 ReadOnly",
    "GitRepoVolumeSource": "Repository Revision Directory",
    "SecretVolumeSource": "SecretName Items DefaultMode Optional DefaultUser",
    "KeyToPath": "Key Path Mode User",
    "NFSVolumeSource": "Server Path ReadOnly",
    "ISCSIVolumeSource": (
        "TargetPortal IQN Lun ISCSIInterface FSType ReadOnly Portals DiscoveryCHAPAuth:chap_auth_discovery=false "
        "SessionCHAPAuth:chap_auth_session=false SecretRef *InitiatorName"
    ),
    "LocalObjectReference": "Name",
    "GlusterfsVolumeSource": "EndpointsName:endpoints Path ReadOnly",
    "PersistentVolumeClaimVolumeSource": "ClaimName ReadOnly",
    "RBDVolumeSource": (
        "CephMonitors:monitors RBDImage:image FSType RBDPool:pool RadosUser:user Keyring SecretRef ReadOnly"
    ),
    "FlexVolumeSource": "Driver FSType SecretRef ReadOnly Options",
    "CinderVolumeSource": "VolumeID FSType ReadOnly SecretRef",
    "CephFSVolumeSource": "Monitors Path User SecretFile SecretRef ReadOnly",
    "FlockerVolumeSource": "DatasetName DatasetUUID",
    "DownwardAPIVolumeSource": "Items DefaultMode DefaultUser",
    "DownwardAPIVolumeFile": "Path FieldRef ResourceFieldRef Mode User",
    "ObjectFieldSelector": "APIVersion FieldPath",
    "ResourceFieldSelector": "ContainerName Resource Divisor=quantity",
    "FCVolumeSource": "TargetWWNs Lun FSType ReadOnly WWIDs",
    "AzureFileVolumeSource": "SecretName ShareName ReadOnly",
    "ConfigMapVolumeSource": "+LocalObjectReference Items DefaultMode Optional DefaultUser",
    "VsphereVirtualDiskVolumeSource": "VolumePath FSType StoragePolicyName StoragePolicyID",
    "QuobyteVolumeSource": "Registry Volume ReadOnly User Group Tenant",
    "AzureDiskVolumeSource": "DiskName DataDiskURI:disk_uri *CachingMode *FSType ReadOnly *Kind",
    "PhotonPersistentDiskVolumeSource": "PdID FSType",
    "ProjectedVolumeSource": "Sources DefaultMode DefaultUser",
    "VolumeProjection": "Secret DownwardAPI ConfigMap ServiceAccountToken ClusterTrustBundle PodCertificate",
    "SecretProjection": "+LocalObjectReference Items Optional",
    "DownwardAPIProjection": "Items",
    "ConfigMapProjection": "+LocalObjectReference Items Optional",
    "ServiceAccountTokenProjection": "Audience ExpirationSeconds Path User",
    "ClusterTrustBundleProjection": "*Name *SignerName LabelSelector Optional Path User",
    "PodCertificateProjection": (
        "SignerName KeyType MaxExpirationSeconds CredentialBundlePath KeyPath CertificateChainPath UserAnnotations User"
    ),
    "PortworxVolumeSource": "VolumeID FSType ReadOnly",
    "ScaleIOVolumeSource": (
        "Gateway System SecretRef SSLEnabled=false ProtectionDomain StoragePool StorageMode VolumeName FSType ReadOnly"
    ),
    "StorageOSVolumeSource": "VolumeName VolumeNamespace FSType ReadOnly SecretRef",
    "CSIVolumeSource": "Driver *ReadOnly *FSType VolumeAttributes NodePublishSecretRef",
    "EphemeralVolumeSource": "VolumeClaimTemplate",
    "PersistentVolumeClaimTemplate": "+ObjectMeta:metadata Spec",
    "PersistentVolumeClaimSpec": (
        "AccessModes Selector Resources VolumeName StorageClassName *VolumeMode DataSource DataSourceRef "
        "VolumeAttributesClassName"
    ),
    "VolumeResourceRequirements": "Limits Requests",
    "TypedLocalObjectReference": "*APIGroup Kind Name",
    "TypedObjectReference": "*APIGroup Kind Name *Namespace",
    "ImageVolumeSource": "Reference PullPolicy",
    "Container": (
        "Name Image Command Args WorkingDir Ports EnvFrom Env Resources ResizePolicy *RestartPolicy "
        "RestartPolicyRules VolumeMounts VolumeDevices LivenessProbe ReadinessProbe StartupProbe Lifecycle "
        "TerminationMessagePath TerminationMessagePolicy ImagePullPolicy SecurityContext Stdin StdinOnce TTY"
    ),
    "ContainerPort": "Name HostPort ContainerPort Protocol HostIP",
    "EnvFromSource": "Prefix ConfigMapRef SecretRef",
    "ConfigMapEnvSource": "+LocalObjectReference Optional",
    "SecretEnvSource": "+LocalObjectReference Optional",
    "EnvVar": "Name Value ValueFrom",
    "EnvVarSource": "FieldRef ResourceFieldRef ConfigMapKeyRef SecretKeyRef FileKeyRef",
    "ConfigMapKeySelector": "+LocalObjectReference Key Optional",
    "SecretKeySelector": "+LocalObjectReference Key Optional",
    "FileKeySelector": "VolumeName Path Key Optional=false",
    "ResourceRequirements": "Limits Requests Claims",
    "ResourceClaim": "Name Request",
    "ContainerResizePolicy": "ResourceName RestartPolicy",
    "ContainerRestartRule": "Action ExitCodes",
    "ContainerRestartRuleOnExitCodes": "Operator Values",
    "VolumeMount": (
        "Name ReadOnly *RecursiveReadOnly MountPath SubPath *MountPropagation SubPathExpr BindMountOptions"
    ),
    "VolumeDevice": "Name DevicePath",
    "Probe": (
        "+ProbeHandler InitialDelaySeconds=0 TimeoutSeconds=0 PeriodSeconds=0 SuccessThreshold=0 "
        "FailureThreshold=0 TerminationGracePeriodSeconds"
    ),
    "ProbeHandler": "Exec HTTPGet TCPSocket GRPC",
    "ExecAction": "Command",
    "HTTPGetAction": "Path Port Host Scheme HTTPHeaders *Protocol",
    "HTTPHeader": "Name Value",
    "TCPSocketAction": "Port Host",
    "GRPCAction": "Port Service *Mode",
    "Lifecycle": "PostStart PreStop *StopSignal",
    "LifecycleHandler": "Exec HTTPGet TCPSocket Sleep",
    "SleepAction": "Seconds",
    "SecurityContext": (
        "Capabilities Privileged SELinuxOptions WindowsOptions RunAsUser RunAsGroup RunAsNonRoot "
        "ReadOnlyRootFilesystem AllowPrivilegeEscalation *ProcMount SeccompProfile AppArmorProfile"
    ),
    "Capabilities": "Add Drop",
    "SELinuxOptions": "User Role Type Level",
    "WindowsSecurityContextOptions": "*GMSACredentialSpecName *GMSACredentialSpec *RunAsUserName HostProcess",
    "SeccompProfile": "Type *LocalhostProfile",
    "AppArmorProfile": "Type *LocalhostProfile",
    "EphemeralContainer": "+Container TargetContainerName",
    "PodSecurityContext": (
        "SELinuxOptions WindowsOptions RunAsUser RunAsGroup RunAsNonRoot SupplementalGroups "
        "*SupplementalGroupsPolicy FSGroup Sysctls *FSGroupChangePolicy SeccompProfile AppArmorProfile "
        "*SELinuxChangePolicy"
    ),
    "Sysctl": "Name Value",
    "Affinity": "NodeAffinity PodAffinity PodAntiAffinity",
    "NodeAffinity": "RequiredDuringSchedulingIgnoredDuringExecution PreferredDuringSchedulingIgnoredDuringExecution",
    "NodeSelector": "NodeSelectorTerms",
    "NodeSelectorTerm": "MatchExpressions MatchFields",
    "NodeSelectorRequirement": "Key Operator Values",
    "PreferredSchedulingTerm": "Weight Preference",
    "PodAffinity": "RequiredDuringSchedulingIgnoredDuringExecution PreferredDuringSchedulingIgnoredDuringExecution",
    "PodAffinityTerm": "LabelSelector Namespaces TopologyKey NamespaceSelector MatchLabelKeys MismatchLabelKeys",
    "WeightedPodAffinityTerm": "Weight PodAffinityTerm",
    "PodAntiAffinity": (
        "RequiredDuringSchedulingIgnoredDuringExecution PreferredDuringSchedulingIgnoredDuringExecution"
    ),
    "Toleration": "Key Operator Value Effect TolerationSeconds",
    "HostAlias": "IP Hostnames",
    "PodDNSConfig": "Nameservers Searches Options",
    "PodDNSConfigOption": "Name *Value",
    "PodReadinessGate": "ConditionType",
    "TopologySpreadConstraint": (
        "MaxSkew TopologyKey WhenUnsatisfiable LabelSelector MinDomains *NodeAffinityPolicy *NodeTaintsPolicy "
        "MatchLabelKeys"
    ),
    "PodOS": "Name",
    "PodSchedulingGate": "Name",
    "PodResourceClaim": "Name *ResourceClaimName *ResourceClaimTemplateName",
    "PodSchedulingGroup": "*PodGroupName",
    "EvictionResponder": "Name Priority",
}
