"""Field numbers of core/v1, second half, as the original's wire format has them. `tables` says how to read a line."""

TEXT = """
[core]
PersistentVolumeSpec: capacity=1{quantity ~=2PersistentVolumeSource accessModes=3*s claimRef=4ObjectReference
    persistentVolumeReclaimPolicy=5s storageClassName=6s mountOptions=7*s volumeMode=8s
    nodeAffinity=9VolumeNodeAffinity volumeAttributesClassName=10s
PersistentVolumeStatus: phase=1s message=2s reason=3s lastPhaseTransitionTime=4time
PhotonPersistentDiskVolumeSource: pdID=1s fsType=2s
Pod: metadata=1meta.ObjectMeta spec=2PodSpec status=3PodStatus
PodAffinity: requiredDuringSchedulingIgnoredDuringExecution=1*PodAffinityTerm
    preferredDuringSchedulingIgnoredDuringExecution=2*WeightedPodAffinityTerm
PodAffinityTerm: labelSelector=1meta.LabelSelector namespaces=2*s topologyKey=3s
    namespaceSelector=4meta.LabelSelector matchLabelKeys=5*s mismatchLabelKeys=6*s
PodAntiAffinity: requiredDuringSchedulingIgnoredDuringExecution=1*PodAffinityTerm
    preferredDuringSchedulingIgnoredDuringExecution=2*WeightedPodAffinityTerm
PodAttachOptions: stdin=1b stdout=2b stderr=3b tty=4b container=5s
PodCondition: type=1s observedGeneration=7i status=2s lastProbeTime=3time lastTransitionTime=4time reason=5s
    message=6s
PodDNSConfig: nameservers=1*s searches=2*s options=3*PodDNSConfigOption
PodDNSConfigOption: name=1s value=2s
PodExecOptions: stdin=1b stdout=2b stderr=3b tty=4b container=5s command=6*s
PodIP: ip=1s
PodLogOptions: container=1s follow=2b previous=3b sinceSeconds=4i sinceTime=5time timestamps=6b tailLines=7i
    limitBytes=8i insecureSkipTLSVerifyBackend=9b stream=10s
PodOS: name=1s
PodPortForwardOptions: ports=1*i
PodProxyOptions: path=1s
PodReadinessGate: conditionType=1s
PodResourceClaim: name=1s resourceClaimName=3s resourceClaimTemplateName=4s
PodResourceClaimStatus: name=1s resourceClaimName=2s
PodSchedulingGate: name=1s
PodSecurityContext: seLinuxOptions=1SELinuxOptions windowsOptions=8WindowsSecurityContextOptions runAsUser=2i
    runAsGroup=6i runAsNonRoot=3b supplementalGroups=4*i supplementalGroupsPolicy=12s fsGroup=5i
    sysctls=7*Sysctl fsGroupChangePolicy=9s seccompProfile=10SeccompProfile appArmorProfile=11AppArmorProfile
    seLinuxChangePolicy=13s
PodSignature: podController=1meta.OwnerReference
PodSpec: volumes=1*Volume initContainers=20*Container containers=2*Container
    ephemeralContainers=34*EphemeralContainer restartPolicy=3s terminationGracePeriodSeconds=4i
    activeDeadlineSeconds=5i dnsPolicy=6s nodeSelector=7{s serviceAccountName=8s serviceAccount=9s
    automountServiceAccountToken=21b nodeName=10s hostNetwork=11b hostPID=12b hostIPC=13b
    shareProcessNamespace=27b securityContext=14PodSecurityContext imagePullSecrets=15*LocalObjectReference
    hostname=16s subdomain=17s affinity=18Affinity schedulerName=19s tolerations=22*Toleration
    hostAliases=23*HostAlias priorityClassName=24s priority=25i dnsConfig=26PodDNSConfig
    readinessGates=28*PodReadinessGate runtimeClassName=29s enableServiceLinks=30b preemptionPolicy=31s
    overhead=32{quantity topologySpreadConstraints=33*TopologySpreadConstraint setHostnameAsFQDN=35b os=36PodOS
    hostUsers=37b schedulingGates=38*PodSchedulingGate resourceClaims=39*PodResourceClaim
    resources=40ResourceRequirements
PodStatus: observedGeneration=17i phase=1s conditions=2*PodCondition message=3s reason=4s nominatedNodeName=11s
    hostIP=5s hostIPs=16*HostIP podIP=6s podIPs=12*PodIP startTime=7time
    initContainerStatuses=10*ContainerStatus containerStatuses=8*ContainerStatus qosClass=9s
    ephemeralContainerStatuses=13*ContainerStatus resize=14s resourceClaimStatuses=15*PodResourceClaimStatus
PodStatusResult: metadata=1meta.ObjectMeta status=2PodStatus
PodTemplate: metadata=1meta.ObjectMeta template=2PodTemplateSpec
PodTemplateSpec: metadata=1meta.ObjectMeta spec=2PodSpec
PortStatus: port=1i protocol=2s error=3s
PortworxVolumeSource: volumeID=1s fsType=2s readOnly=3b
Preconditions: uid=1s
PreferAvoidPodsEntry: podSignature=1PodSignature evictionTime=2time reason=3s message=4s
PreferredSchedulingTerm: weight=1i preference=2NodeSelectorTerm
Probe: ~=1ProbeHandler initialDelaySeconds=2i timeoutSeconds=3i periodSeconds=4i successThreshold=5i
    failureThreshold=6i terminationGracePeriodSeconds=7i
ProbeHandler: exec=1ExecAction httpGet=2HTTPGetAction tcpSocket=3TCPSocketAction grpc=4GRPCAction
ProjectedVolumeSource: sources=1*VolumeProjection defaultMode=2i
QuobyteVolumeSource: registry=1s volume=2s readOnly=3b user=4s group=5s tenant=6s
RBDPersistentVolumeSource: monitors=1*s image=2s fsType=3s pool=4s user=5s keyring=6s secretRef=7SecretReference
    readOnly=8b
RBDVolumeSource: monitors=1*s image=2s fsType=3s pool=4s user=5s keyring=6s secretRef=7LocalObjectReference
    readOnly=8b
RangeAllocation: metadata=1meta.ObjectMeta range=2s data=3y
ReplicationController: metadata=1meta.ObjectMeta spec=2ReplicationControllerSpec
    status=3ReplicationControllerStatus
ReplicationControllerCondition: type=1s status=2s lastTransitionTime=3time reason=4s message=5s
ReplicationControllerSpec: replicas=1i minReadySeconds=4i selector=2{s template=3PodTemplateSpec
ReplicationControllerStatus: replicas=1i fullyLabeledReplicas=2i readyReplicas=4i availableReplicas=5i
    observedGeneration=3i conditions=6*ReplicationControllerCondition
ResourceClaim: name=1s request=2s
ResourceFieldSelector: containerName=1s resource=2s divisor=3quantity
ResourceHealth: resourceID=1s health=2s
ResourceQuota: metadata=1meta.ObjectMeta spec=2ResourceQuotaSpec status=3ResourceQuotaStatus
ResourceQuotaSpec: hard=1{quantity scopes=2*s scopeSelector=3ScopeSelector
ResourceQuotaStatus: hard=1{quantity used=2{quantity
ResourceRequirements: limits=1{quantity requests=2{quantity claims=3*ResourceClaim
ResourceStatus: name=1s resources=2*ResourceHealth
SELinuxOptions: user=1s role=2s type=3s level=4s
ScaleIOPersistentVolumeSource: gateway=1s system=2s secretRef=3SecretReference sslEnabled=4b protectionDomain=5s
    storagePool=6s storageMode=7s volumeName=8s fsType=9s readOnly=10b
ScaleIOVolumeSource: gateway=1s system=2s secretRef=3LocalObjectReference sslEnabled=4b protectionDomain=5s
    storagePool=6s storageMode=7s volumeName=8s fsType=9s readOnly=10b
ScopeSelector: matchExpressions=1*ScopedResourceSelectorRequirement
ScopedResourceSelectorRequirement: scopeName=1s operator=2s values=3*s
SeccompProfile: type=1s localhostProfile=2s
Secret: metadata=1meta.ObjectMeta immutable=5b data=2{y stringData=4{s type=3s
SecretEnvSource: ~=1LocalObjectReference optional=2b
SecretKeySelector: ~=1LocalObjectReference key=2s optional=3b
SecretProjection: ~=1LocalObjectReference items=2*KeyToPath optional=4b
SecretReference: name=1s namespace=2s
SecretVolumeSource: secretName=1s items=2*KeyToPath defaultMode=3i optional=4b
SecurityContext: capabilities=1Capabilities privileged=2b seLinuxOptions=3SELinuxOptions
    windowsOptions=10WindowsSecurityContextOptions runAsUser=4i runAsGroup=8i runAsNonRoot=5b
    readOnlyRootFilesystem=6b allowPrivilegeEscalation=7b procMount=9s seccompProfile=11SeccompProfile
    appArmorProfile=12AppArmorProfile
SerializedReference: reference=1ObjectReference
Service: metadata=1meta.ObjectMeta spec=2ServiceSpec status=3ServiceStatus
ServiceAccount: metadata=1meta.ObjectMeta secrets=2*ObjectReference imagePullSecrets=3*LocalObjectReference
    automountServiceAccountToken=4b
ServiceAccountTokenProjection: audience=1s expirationSeconds=2i path=3s
ServicePort: name=1s protocol=2s appProtocol=6s port=3i targetPort=4intstr nodePort=5i
ServiceProxyOptions: path=1s
ServiceSpec: ports=1*ServicePort selector=2{s clusterIP=3s clusterIPs=18*s type=4s externalIPs=5*s
    sessionAffinity=7s loadBalancerIP=8s loadBalancerSourceRanges=9*s externalName=10s externalTrafficPolicy=11s
    healthCheckNodePort=12i publishNotReadyAddresses=13b sessionAffinityConfig=14SessionAffinityConfig
    ipFamilies=19*s ipFamilyPolicy=17s allocateLoadBalancerNodePorts=20b loadBalancerClass=21s
    internalTrafficPolicy=22s trafficDistribution=23s
ServiceStatus: loadBalancer=1LoadBalancerStatus conditions=2*meta.Condition
SessionAffinityConfig: clientIP=1ClientIPConfig
SleepAction: seconds=1i
StorageOSPersistentVolumeSource: volumeName=1s volumeNamespace=2s fsType=3s readOnly=4b
    secretRef=5ObjectReference
StorageOSVolumeSource: volumeName=1s volumeNamespace=2s fsType=3s readOnly=4b secretRef=5LocalObjectReference
Sysctl: name=1s value=2s
TCPSocketAction: port=1intstr host=2s
Taint: key=1s value=2s effect=3s timeAdded=4time
Toleration: key=1s operator=2s value=3s effect=4s tolerationSeconds=5i
TopologySelectorLabelRequirement: key=1s values=2*s
TopologySelectorTerm: matchLabelExpressions=1*TopologySelectorLabelRequirement
TopologySpreadConstraint: maxSkew=1i topologyKey=2s whenUnsatisfiable=3s labelSelector=4meta.LabelSelector
    minDomains=5i nodeAffinityPolicy=6s nodeTaintsPolicy=7s matchLabelKeys=8*s
TypedLocalObjectReference: apiGroup=1s kind=2s name=3s
TypedObjectReference: apiGroup=1s kind=2s name=3s namespace=4s
Volume: name=1s ~=2VolumeSource
VolumeDevice: name=1s devicePath=2s
VolumeMount: name=1s readOnly=2b recursiveReadOnly=7s mountPath=3s subPath=4s mountPropagation=5s subPathExpr=6s
VolumeMountStatus: name=1s mountPath=2s readOnly=3b recursiveReadOnly=4s
VolumeNodeAffinity: required=1NodeSelector
VolumeProjection: secret=1SecretProjection downwardAPI=2DownwardAPIProjection configMap=3ConfigMapProjection
    serviceAccountToken=4ServiceAccountTokenProjection clusterTrustBundle=5ClusterTrustBundleProjection
VolumeResourceRequirements: limits=1{quantity requests=2{quantity
VolumeSource: hostPath=1HostPathVolumeSource emptyDir=2EmptyDirVolumeSource
    gcePersistentDisk=3GCEPersistentDiskVolumeSource awsElasticBlockStore=4AWSElasticBlockStoreVolumeSource
    gitRepo=5GitRepoVolumeSource secret=6SecretVolumeSource nfs=7NFSVolumeSource iscsi=8ISCSIVolumeSource
    glusterfs=9GlusterfsVolumeSource persistentVolumeClaim=10PersistentVolumeClaimVolumeSource
    rbd=11RBDVolumeSource flexVolume=12FlexVolumeSource cinder=13CinderVolumeSource cephfs=14CephFSVolumeSource
    flocker=15FlockerVolumeSource downwardAPI=16DownwardAPIVolumeSource fc=17FCVolumeSource
    azureFile=18AzureFileVolumeSource configMap=19ConfigMapVolumeSource
    vsphereVolume=20VsphereVirtualDiskVolumeSource quobyte=21QuobyteVolumeSource
    azureDisk=22AzureDiskVolumeSource photonPersistentDisk=23PhotonPersistentDiskVolumeSource
    projected=26ProjectedVolumeSource portworxVolume=24PortworxVolumeSource scaleIO=25ScaleIOVolumeSource
    storageos=27StorageOSVolumeSource csi=28CSIVolumeSource ephemeral=29EphemeralVolumeSource
    image=30ImageVolumeSource
VsphereVirtualDiskVolumeSource: volumePath=1s fsType=2s storagePolicyName=3s storagePolicyID=4s
WeightedPodAffinityTerm: weight=1i podAffinityTerm=2PodAffinityTerm
WindowsSecurityContextOptions: gmsaCredentialSpecName=1s gmsaCredentialSpec=2s runAsUserName=3s hostProcess=4b
"""
