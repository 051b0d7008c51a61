"""Field numbers of core/v1, first half, as the original's wire format has them. `tables` says how to read a line."""

TEXT = """
[core]
AWSElasticBlockStoreVolumeSource: volumeID=1s fsType=2s partition=3i readOnly=4b
Affinity: nodeAffinity=1NodeAffinity podAffinity=2PodAffinity podAntiAffinity=3PodAntiAffinity
AppArmorProfile: type=1s localhostProfile=2s
AttachedVolume: name=1s devicePath=2s
AvoidPods: preferAvoidPods=1*PreferAvoidPodsEntry
AzureDiskVolumeSource: diskName=1s diskURI=2s cachingMode=3s fsType=4s readOnly=5b kind=6s
AzureFilePersistentVolumeSource: secretName=1s shareName=2s readOnly=3b secretNamespace=4s
AzureFileVolumeSource: secretName=1s shareName=2s readOnly=3b
Binding: metadata=1meta.ObjectMeta target=2ObjectReference
CSIPersistentVolumeSource: driver=1s volumeHandle=2s readOnly=3b fsType=4s volumeAttributes=5{s
    controllerPublishSecretRef=6SecretReference nodeStageSecretRef=7SecretReference
    nodePublishSecretRef=8SecretReference controllerExpandSecretRef=9SecretReference
    nodeExpandSecretRef=10SecretReference
CSIVolumeSource: driver=1s readOnly=2b fsType=3s volumeAttributes=4{s nodePublishSecretRef=5LocalObjectReference
Capabilities: add=1*s drop=2*s
CephFSPersistentVolumeSource: monitors=1*s path=2s user=3s secretFile=4s secretRef=5SecretReference readOnly=6b
CephFSVolumeSource: monitors=1*s path=2s user=3s secretFile=4s secretRef=5LocalObjectReference readOnly=6b
CinderPersistentVolumeSource: volumeID=1s fsType=2s readOnly=3b secretRef=4SecretReference
CinderVolumeSource: volumeID=1s fsType=2s readOnly=3b secretRef=4LocalObjectReference
ClientIPConfig: timeoutSeconds=1i
ClusterTrustBundleProjection: name=1s signerName=2s labelSelector=3meta.LabelSelector optional=5b path=4s
ComponentCondition: type=1s status=2s message=3s error=4s
ComponentStatus: metadata=1meta.ObjectMeta conditions=2*ComponentCondition
ConfigMap: metadata=1meta.ObjectMeta immutable=4b data=2{s binaryData=3{y
ConfigMapEnvSource: ~=1LocalObjectReference optional=2b
ConfigMapKeySelector: ~=1LocalObjectReference key=2s optional=3b
ConfigMapNodeConfigSource: namespace=1s name=2s uid=3s resourceVersion=4s kubeletConfigKey=5s
ConfigMapProjection: ~=1LocalObjectReference items=2*KeyToPath optional=4b
ConfigMapVolumeSource: ~=1LocalObjectReference items=2*KeyToPath defaultMode=3i optional=4b
Container: name=1s image=2s command=3*s args=4*s workingDir=5s ports=6*ContainerPort envFrom=19*EnvFromSource
    env=7*EnvVar resources=8ResourceRequirements resizePolicy=23*ContainerResizePolicy restartPolicy=24s
    volumeMounts=9*VolumeMount volumeDevices=21*VolumeDevice livenessProbe=10Probe readinessProbe=11Probe
    startupProbe=22Probe lifecycle=12Lifecycle terminationMessagePath=13s terminationMessagePolicy=20s
    imagePullPolicy=14s securityContext=15SecurityContext stdin=16b stdinOnce=17b tty=18b
ContainerImage: names=1*s sizeBytes=2i
ContainerPort: name=1s hostPort=2i containerPort=3i protocol=4s hostIP=5s
ContainerResizePolicy: resourceName=1s restartPolicy=2s
ContainerState: waiting=1ContainerStateWaiting running=2ContainerStateRunning
    terminated=3ContainerStateTerminated
ContainerStateRunning: startedAt=1time
ContainerStateTerminated: exitCode=1i signal=2i reason=3s message=4s startedAt=5time finishedAt=6time
    containerID=7s
ContainerStateWaiting: reason=1s message=2s
ContainerStatus: name=1s state=2ContainerState lastState=3ContainerState ready=4b restartCount=5i image=6s
    imageID=7s containerID=8s started=9b allocatedResources=10{quantity resources=11ResourceRequirements
    volumeMounts=12*VolumeMountStatus user=13ContainerUser allocatedResourcesStatus=14*ResourceStatus
    stopSignal=15s
ContainerUser: linux=1LinuxContainerUser
DaemonEndpoint: Port=1i
DownwardAPIProjection: items=1*DownwardAPIVolumeFile
DownwardAPIVolumeFile: path=1s fieldRef=2ObjectFieldSelector resourceFieldRef=3ResourceFieldSelector mode=4i
DownwardAPIVolumeSource: items=1*DownwardAPIVolumeFile defaultMode=2i
EmptyDirVolumeSource: medium=1s sizeLimit=2quantity
EndpointAddress: ip=1s hostname=3s nodeName=4s targetRef=2ObjectReference
EndpointPort: name=1s port=2i protocol=3s appProtocol=4s
EndpointSubset: addresses=1*EndpointAddress notReadyAddresses=2*EndpointAddress ports=3*EndpointPort
Endpoints: metadata=1meta.ObjectMeta subsets=2*EndpointSubset
EnvFromSource: prefix=1s configMapRef=2ConfigMapEnvSource secretRef=3SecretEnvSource
EnvVar: name=1s value=2s valueFrom=3EnvVarSource
EnvVarSource: fieldRef=1ObjectFieldSelector resourceFieldRef=2ResourceFieldSelector
    configMapKeyRef=3ConfigMapKeySelector secretKeyRef=4SecretKeySelector
EphemeralContainer: ~=1EphemeralContainerCommon targetContainerName=2s
EphemeralContainerCommon: name=1s image=2s command=3*s args=4*s workingDir=5s ports=6*ContainerPort
    envFrom=19*EnvFromSource env=7*EnvVar resources=8ResourceRequirements resizePolicy=23*ContainerResizePolicy
    restartPolicy=24s volumeMounts=9*VolumeMount volumeDevices=21*VolumeDevice livenessProbe=10Probe
    readinessProbe=11Probe startupProbe=22Probe lifecycle=12Lifecycle terminationMessagePath=13s
    terminationMessagePolicy=20s imagePullPolicy=14s securityContext=15SecurityContext stdin=16b stdinOnce=17b
    tty=18b
EphemeralVolumeSource: volumeClaimTemplate=1PersistentVolumeClaimTemplate
Event: metadata=1meta.ObjectMeta involvedObject=2ObjectReference reason=3s message=4s source=5EventSource
    firstTimestamp=6time lastTimestamp=7time count=8i type=9s eventTime=10micro series=11EventSeries action=12s
    related=13ObjectReference reportingComponent=14s reportingInstance=15s
EventSeries: count=1i lastObservedTime=2micro
EventSource: component=1s host=2s
ExecAction: command=1*s
FCVolumeSource: targetWWNs=1*s lun=2i fsType=3s readOnly=4b wwids=5*s
FlexPersistentVolumeSource: driver=1s fsType=2s secretRef=3SecretReference readOnly=4b options=5{s
FlexVolumeSource: driver=1s fsType=2s secretRef=3LocalObjectReference readOnly=4b options=5{s
FlockerVolumeSource: datasetName=1s datasetUUID=2s
GCEPersistentDiskVolumeSource: pdName=1s fsType=2s partition=3i readOnly=4b
GRPCAction: port=1i service=2s
GitRepoVolumeSource: repository=1s revision=2s directory=3s
GlusterfsPersistentVolumeSource: endpoints=1s path=2s readOnly=3b endpointsNamespace=4s
GlusterfsVolumeSource: endpoints=1s path=2s readOnly=3b
HTTPGetAction: path=1s port=2intstr host=3s scheme=4s httpHeaders=5*HTTPHeader
HTTPHeader: name=1s value=2s
HostAlias: ip=1s hostnames=2*s
HostIP: ip=1s
HostPathVolumeSource: path=1s type=2s
ISCSIPersistentVolumeSource: targetPortal=1s iqn=2s lun=3i iscsiInterface=4s fsType=5s readOnly=6b portals=7*s
    chapAuthDiscovery=8b chapAuthSession=11b secretRef=10SecretReference initiatorName=12s
ISCSIVolumeSource: targetPortal=1s iqn=2s lun=3i iscsiInterface=4s fsType=5s readOnly=6b portals=7*s
    chapAuthDiscovery=8b chapAuthSession=11b secretRef=10LocalObjectReference initiatorName=12s
ImageVolumeSource: reference=1s pullPolicy=2s
KeyToPath: key=1s path=2s mode=3i
Lifecycle: postStart=1LifecycleHandler preStop=2LifecycleHandler stopSignal=3s
LifecycleHandler: exec=1ExecAction httpGet=2HTTPGetAction tcpSocket=3TCPSocketAction sleep=4SleepAction
LimitRange: metadata=1meta.ObjectMeta spec=2LimitRangeSpec
LimitRangeItem: type=1s max=2{quantity min=3{quantity default=4{quantity defaultRequest=5{quantity
    maxLimitRequestRatio=6{quantity
LimitRangeSpec: limits=1*LimitRangeItem
LinuxContainerUser: uid=1i gid=2i supplementalGroups=3*i
LoadBalancerIngress: ip=1s hostname=2s ipMode=3s ports=4*PortStatus
LoadBalancerStatus: ingress=1*LoadBalancerIngress
LocalObjectReference: name=1s
LocalVolumeSource: path=1s fsType=2s
ModifyVolumeStatus: targetVolumeAttributesClassName=1s status=2s
NFSVolumeSource: server=1s path=2s readOnly=3b
Namespace: metadata=1meta.ObjectMeta spec=2NamespaceSpec status=3NamespaceStatus
NamespaceCondition: type=1s status=2s lastTransitionTime=4time reason=5s message=6s
NamespaceSpec: finalizers=1*s
NamespaceStatus: phase=1s conditions=2*NamespaceCondition
Node: metadata=1meta.ObjectMeta spec=2NodeSpec status=3NodeStatus
NodeAddress: type=1s address=2s
NodeAffinity: requiredDuringSchedulingIgnoredDuringExecution=1NodeSelector
    preferredDuringSchedulingIgnoredDuringExecution=2*PreferredSchedulingTerm
NodeCondition: type=1s status=2s lastHeartbeatTime=3time lastTransitionTime=4time reason=5s message=6s
NodeConfigSource: configMap=2ConfigMapNodeConfigSource
NodeConfigStatus: assigned=1NodeConfigSource active=2NodeConfigSource lastKnownGood=3NodeConfigSource error=4s
NodeDaemonEndpoints: kubeletEndpoint=1DaemonEndpoint
NodeFeatures: supplementalGroupsPolicy=1b
NodeProxyOptions: path=1s
NodeRuntimeHandler: name=1s features=2NodeRuntimeHandlerFeatures
NodeRuntimeHandlerFeatures: recursiveReadOnlyMounts=1b userNamespaces=2b
NodeSelector: nodeSelectorTerms=1*NodeSelectorTerm
NodeSelectorRequirement: key=1s operator=2s values=3*s
NodeSelectorTerm: matchExpressions=1*NodeSelectorRequirement matchFields=2*NodeSelectorRequirement
NodeSpec: podCIDR=1s podCIDRs=7*s providerID=3s unschedulable=4b taints=5*Taint configSource=6NodeConfigSource
    externalID=2s
NodeStatus: capacity=1{quantity allocatable=2{quantity phase=3s conditions=4*NodeCondition
    addresses=5*NodeAddress daemonEndpoints=6NodeDaemonEndpoints nodeInfo=7NodeSystemInfo
    images=8*ContainerImage volumesInUse=9*s volumesAttached=10*AttachedVolume config=11NodeConfigStatus
    runtimeHandlers=12*NodeRuntimeHandler features=13NodeFeatures
NodeSwapStatus: capacity=1i
NodeSystemInfo: machineID=1s systemUUID=2s bootID=3s kernelVersion=4s osImage=5s containerRuntimeVersion=6s
    kubeletVersion=7s kubeProxyVersion=8s operatingSystem=9s architecture=10s swap=11NodeSwapStatus
ObjectFieldSelector: apiVersion=1s fieldPath=2s
ObjectReference: kind=1s namespace=2s name=3s uid=4s apiVersion=5s resourceVersion=6s fieldPath=7s
PersistentVolume: metadata=1meta.ObjectMeta spec=2PersistentVolumeSpec status=3PersistentVolumeStatus
PersistentVolumeClaim: metadata=1meta.ObjectMeta spec=2PersistentVolumeClaimSpec
    status=3PersistentVolumeClaimStatus
PersistentVolumeClaimCondition: type=1s status=2s lastProbeTime=3time lastTransitionTime=4time reason=5s
    message=6s
PersistentVolumeClaimSpec: accessModes=1*s selector=4meta.LabelSelector resources=2VolumeResourceRequirements
    volumeName=3s storageClassName=5s volumeMode=6s dataSource=7TypedLocalObjectReference
    dataSourceRef=8TypedObjectReference volumeAttributesClassName=9s
PersistentVolumeClaimStatus: phase=1s accessModes=2*s capacity=3{quantity
    conditions=4*PersistentVolumeClaimCondition allocatedResources=5{quantity allocatedResourceStatuses=7{s
    currentVolumeAttributesClassName=8s modifyVolumeStatus=9ModifyVolumeStatus
PersistentVolumeClaimTemplate: metadata=1meta.ObjectMeta spec=2PersistentVolumeClaimSpec
PersistentVolumeClaimVolumeSource: claimName=1s readOnly=2b
PersistentVolumeSource: gcePersistentDisk=1GCEPersistentDiskVolumeSource
    awsElasticBlockStore=2AWSElasticBlockStoreVolumeSource hostPath=3HostPathVolumeSource
    glusterfs=4GlusterfsPersistentVolumeSource nfs=5NFSVolumeSource rbd=6RBDPersistentVolumeSource
    iscsi=7ISCSIPersistentVolumeSource cinder=8CinderPersistentVolumeSource cephfs=9CephFSPersistentVolumeSource
    fc=10FCVolumeSource flocker=11FlockerVolumeSource flexVolume=12FlexPersistentVolumeSource
    azureFile=13AzureFilePersistentVolumeSource vsphereVolume=14VsphereVirtualDiskVolumeSource
    quobyte=15QuobyteVolumeSource azureDisk=16AzureDiskVolumeSource
    photonPersistentDisk=17PhotonPersistentDiskVolumeSource portworxVolume=18PortworxVolumeSource
    scaleIO=19ScaleIOPersistentVolumeSource local=20LocalVolumeSource
    storageos=21StorageOSPersistentVolumeSource csi=22CSIPersistentVolumeSource
"""
