"""Field numbers of core/v1, second half. tables.py describes the format."""

TEXT = """
[core]
PersistentVolumeSpec: capacity=1 ~PersistentVolumeSource=2 accessModes=3 claimRef=4
    persistentVolumeReclaimPolicy=5 storageClassName=6 mountOptions=7 volumeMode=8 nodeAffinity=9
    volumeAttributesClassName=10
PersistentVolumeStatus: phase=1 message=2 reason=3 lastPhaseTransitionTime=4
PhotonPersistentDiskVolumeSource: pdID=1 fsType=2
Pod: metadata=1 spec=2 status=3
PodAffinity: requiredDuringSchedulingIgnoredDuringExecution=1 preferredDuringSchedulingIgnoredDuringExecution=2
PodAffinityTerm: labelSelector=1 namespaces=2 topologyKey=3 namespaceSelector=4 matchLabelKeys=5
    mismatchLabelKeys=6
PodAntiAffinity: requiredDuringSchedulingIgnoredDuringExecution=1
    preferredDuringSchedulingIgnoredDuringExecution=2
PodAttachOptions: stdin=1 stdout=2 stderr=3 tty=4 container=5
PodCertificateProjection: signerName=1 keyType=2 maxExpirationSeconds=3 credentialBundlePath=4 keyPath=5
    certificateChainPath=6 userAnnotations=7 user=8
PodCondition: type=1 observedGeneration=7 status=2 lastProbeTime=3 lastTransitionTime=4 reason=5 message=6
PodDNSConfig: nameservers=1 searches=2 options=3
PodDNSConfigOption: name=1 value=2
PodExecOptions: stdin=1 stdout=2 stderr=3 tty=4 container=5 command=6
PodExtendedResourceClaimStatus: requestMappings=1 resourceClaimName=2
PodIP: ip=1
PodLogOptions: container=1 follow=2 previous=3 sinceSeconds=4 sinceTime=5 timestamps=6 tailLines=7 limitBytes=8
    insecureSkipTLSVerifyBackend=9 stream=10
PodOS: name=1
PodPortForwardOptions: ports=1
PodProxyOptions: path=1
PodReadinessGate: conditionType=1
PodResourceClaim: name=1 resourceClaimName=3 resourceClaimTemplateName=4
PodResourceClaimStatus: name=1 resourceClaimName=2
PodSchedulingGate: name=1
PodSchedulingGroup: podGroupName=1
PodSecurityContext: seLinuxOptions=1 windowsOptions=8 runAsUser=2 runAsGroup=6 runAsNonRoot=3
    supplementalGroups=4 supplementalGroupsPolicy=12 fsGroup=5 sysctls=7 fsGroupChangePolicy=9 seccompProfile=10
    appArmorProfile=11 seLinuxChangePolicy=13
PodSignature: podController=1
PodSpec: volumes=1 initContainers=20 containers=2 ephemeralContainers=34 restartPolicy=3
    terminationGracePeriodSeconds=4 activeDeadlineSeconds=5 dnsPolicy=6 nodeSelector=7 serviceAccountName=8
    serviceAccount=9 automountServiceAccountToken=21 nodeName=10 hostNetwork=11 hostPID=12 hostIPC=13
    shareProcessNamespace=27 securityContext=14 imagePullSecrets=15 hostname=16 subdomain=17 affinity=18
    schedulerName=19 tolerations=22 hostAliases=23 priorityClassName=24 priority=25 dnsConfig=26
    readinessGates=28 runtimeClassName=29 enableServiceLinks=30 preemptionPolicy=31 overhead=32
    topologySpreadConstraints=33 setHostnameAsFQDN=35 os=36 hostUsers=37 schedulingGates=38 resourceClaims=39
    resources=40 hostnameOverride=41 schedulingGroup=43 evictionResponders=44
PodStatus: observedGeneration=17 phase=1 conditions=2 message=3 reason=4 nominatedNodeName=11 hostIP=5
    hostIPs=16 podIP=6 podIPs=12 startTime=7 initContainerStatuses=10 containerStatuses=8 qosClass=9
    ephemeralContainerStatuses=13 resize=14 resourceClaimStatuses=15 extendedResourceClaimStatus=18
    allocatedResources=19 resources=20 nodeAllocatableResourceClaimStatuses=21 volumeHealth=22
PodStatusResult: metadata=1 status=2
PodTemplate: metadata=1 template=2
PodTemplateSpec: metadata=1 spec=2
PodVolumeHealth: name=1 healthConditions=2 lastTransitionTime=3
PortStatus: port=1 protocol=2 error=3
PortworxVolumeSource: volumeID=1 fsType=2 readOnly=3
Preconditions: uid=1
PreferAvoidPodsEntry: podSignature=1 evictionTime=2 reason=3 message=4
PreferredSchedulingTerm: weight=1 preference=2
Probe: ~ProbeHandler=1 initialDelaySeconds=2 timeoutSeconds=3 periodSeconds=4 successThreshold=5
    failureThreshold=6 terminationGracePeriodSeconds=7
ProbeHandler: exec=1 httpGet=2 tcpSocket=3 grpc=4
ProjectedVolumeSource: sources=1 defaultMode=2 defaultUser=3
QuobyteVolumeSource: registry=1 volume=2 readOnly=3 user=4 group=5 tenant=6
RBDPersistentVolumeSource: monitors=1 image=2 fsType=3 pool=4 user=5 keyring=6 secretRef=7 readOnly=8
RBDVolumeSource: monitors=1 image=2 fsType=3 pool=4 user=5 keyring=6 secretRef=7 readOnly=8
RangeAllocation: metadata=1 range=2 data=3
ReplicationController: metadata=1 spec=2 status=3
ReplicationControllerCondition: type=1 status=2 lastTransitionTime=3 reason=4 message=5
ReplicationControllerSpec: replicas=1 minReadySeconds=4 selector=2 template=3
ReplicationControllerStatus: replicas=1 fullyLabeledReplicas=2 readyReplicas=4 availableReplicas=5
    observedGeneration=3 conditions=6
ResourceClaim: name=1 request=2
ResourceFieldSelector: containerName=1 resource=2 divisor=3
ResourceHealth: resourceID=1 health=2 message=6
ResourceQuota: metadata=1 spec=2 status=3
ResourceQuotaSpec: hard=1 scopes=2 scopeSelector=3
ResourceQuotaStatus: hard=1 used=2
ResourceRequirements: limits=1 requests=2 claims=3
ResourceStatus: name=1 resources=2
SELinuxOptions: user=1 role=2 type=3 level=4
ScaleIOPersistentVolumeSource: gateway=1 system=2 secretRef=3 sslEnabled=4 protectionDomain=5 storagePool=6
    storageMode=7 volumeName=8 fsType=9 readOnly=10
ScaleIOVolumeSource: gateway=1 system=2 secretRef=3 sslEnabled=4 protectionDomain=5 storagePool=6 storageMode=7
    volumeName=8 fsType=9 readOnly=10
ScopeSelector: matchExpressions=1
ScopedResourceSelectorRequirement: scopeName=1 operator=2 values=3
SeccompProfile: type=1 localhostProfile=2
Secret: metadata=1 immutable=5 data=2 stringData=4 type=3
SecretEnvSource: ~LocalObjectReference=1 optional=2
SecretKeySelector: ~LocalObjectReference=1 key=2 optional=3
SecretProjection: ~LocalObjectReference=1 items=2 optional=4
SecretReference: name=1 namespace=2
SecretVolumeSource: secretName=1 items=2 defaultMode=3 optional=4 defaultUser=5
SecurityContext: capabilities=1 privileged=2 seLinuxOptions=3 windowsOptions=10 runAsUser=4 runAsGroup=8
    runAsNonRoot=5 readOnlyRootFilesystem=6 allowPrivilegeEscalation=7 procMount=9 seccompProfile=11
    appArmorProfile=12
SerializedReference: reference=1
Service: metadata=1 spec=2 status=3
ServiceAccount: metadata=1 secrets=2 imagePullSecrets=3 automountServiceAccountToken=4
ServiceAccountTokenProjection: audience=1 expirationSeconds=2 path=3 user=4
ServicePort: name=1 protocol=2 appProtocol=6 port=3 targetPort=4 nodePort=5
ServiceProxyOptions: path=1
ServiceSpec: ports=1 selector=2 clusterIP=3 clusterIPs=18 type=4 externalIPs=5 sessionAffinity=7
    loadBalancerIP=8 loadBalancerSourceRanges=9 externalName=10 externalTrafficPolicy=11 healthCheckNodePort=12
    publishNotReadyAddresses=13 sessionAffinityConfig=14 ipFamilies=19 ipFamilyPolicy=17
    allocateLoadBalancerNodePorts=20 loadBalancerClass=21 internalTrafficPolicy=22 trafficDistribution=23
ServiceStatus: loadBalancer=1 conditions=2
SessionAffinityConfig: clientIP=1
SleepAction: seconds=1
StorageOSPersistentVolumeSource: volumeName=1 volumeNamespace=2 fsType=3 readOnly=4 secretRef=5
StorageOSVolumeSource: volumeName=1 volumeNamespace=2 fsType=3 readOnly=4 secretRef=5
Sysctl: name=1 value=2
TCPSocketAction: port=1 host=2
Taint: key=1 value=2 effect=3 timeAdded=4
Toleration: key=1 operator=2 value=3 effect=4 tolerationSeconds=5
TopologySelectorLabelRequirement: key=1 values=2
TopologySelectorTerm: matchLabelExpressions=1
TopologySpreadConstraint: maxSkew=1 topologyKey=2 whenUnsatisfiable=3 labelSelector=4 minDomains=5
    nodeAffinityPolicy=6 nodeTaintsPolicy=7 matchLabelKeys=8
TypedLocalObjectReference: apiGroup=1 kind=2 name=3
TypedObjectReference: apiGroup=1 kind=2 name=3 namespace=4
Volume: name=1 ~VolumeSource=2
VolumeDevice: name=1 devicePath=2
VolumeHealthCondition: status=1 reason=2 message=3
VolumeMount: name=1 readOnly=2 recursiveReadOnly=7 mountPath=3 subPath=4 mountPropagation=5 subPathExpr=6
    bindMountOptions=8
VolumeMountStatus: name=1 mountPath=2 readOnly=3 recursiveReadOnly=4 volumeStatus=5
VolumeNodeAffinity: required=1
VolumeProjection: secret=1 downwardAPI=2 configMap=3 serviceAccountToken=4 clusterTrustBundle=5 podCertificate=6
VolumeResourceRequirements: limits=1 requests=2
VolumeSource: hostPath=1 emptyDir=2 gcePersistentDisk=3 awsElasticBlockStore=4 gitRepo=5 secret=6 nfs=7 iscsi=8
    glusterfs=9 persistentVolumeClaim=10 rbd=11 flexVolume=12 cinder=13 cephfs=14 flocker=15 downwardAPI=16
    fc=17 azureFile=18 configMap=19 vsphereVolume=20 quobyte=21 azureDisk=22 photonPersistentDisk=23
    projected=26 portworxVolume=24 scaleIO=25 storageos=27 csi=28 ephemeral=29 image=30
VolumeStatus: image=1
VsphereVirtualDiskVolumeSource: volumePath=1 fsType=2 storagePolicyName=3 storagePolicyID=4
WeightedPodAffinityTerm: weight=1 podAffinityTerm=2
WindowsSecurityContextOptions: gmsaCredentialSpecName=1 gmsaCredentialSpec=2 runAsUserName=3 hostProcess=4
"""
