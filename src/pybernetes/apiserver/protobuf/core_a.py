"""Field numbers of core/v1, first half. tables.py describes the format."""

TEXT = """
[core]
AWSElasticBlockStoreVolumeSource: volumeID=1 fsType=2 partition=3 readOnly=4
Affinity: nodeAffinity=1 podAffinity=2 podAntiAffinity=3
AppArmorProfile: type=1 localhostProfile=2
AttachedVolume: name=1 devicePath=2
AvoidPods: preferAvoidPods=1
AzureDiskVolumeSource: diskName=1 diskURI=2 cachingMode=3 fsType=4 readOnly=5 kind=6
AzureFilePersistentVolumeSource: secretName=1 shareName=2 readOnly=3 secretNamespace=4
AzureFileVolumeSource: secretName=1 shareName=2 readOnly=3
Binding: metadata=1 target=2
CSIPersistentVolumeSource: driver=1 volumeHandle=2 readOnly=3 fsType=4 volumeAttributes=5
    controllerPublishSecretRef=6 nodeStageSecretRef=7 nodePublishSecretRef=8 controllerExpandSecretRef=9
    nodeExpandSecretRef=10
CSIVolumeSource: driver=1 readOnly=2 fsType=3 volumeAttributes=4 nodePublishSecretRef=5
Capabilities: add=1 drop=2
CephFSPersistentVolumeSource: monitors=1 path=2 user=3 secretFile=4 secretRef=5 readOnly=6
CephFSVolumeSource: monitors=1 path=2 user=3 secretFile=4 secretRef=5 readOnly=6
CinderPersistentVolumeSource: volumeID=1 fsType=2 readOnly=3 secretRef=4
CinderVolumeSource: volumeID=1 fsType=2 readOnly=3 secretRef=4
ClientIPConfig: timeoutSeconds=1
ClusterTrustBundleProjection: name=1 signerName=2 labelSelector=3 optional=5 path=4 user=6
ComponentCondition: type=1 status=2 message=3 error=4
ComponentStatus: metadata=1 conditions=2
ConfigMap: metadata=1 immutable=4 data=2 binaryData=3
ConfigMapEnvSource: ~LocalObjectReference=1 optional=2
ConfigMapKeySelector: ~LocalObjectReference=1 key=2 optional=3
ConfigMapNodeConfigSource: namespace=1 name=2 uid=3 resourceVersion=4 kubeletConfigKey=5
ConfigMapProjection: ~LocalObjectReference=1 items=2 optional=4
ConfigMapVolumeSource: ~LocalObjectReference=1 items=2 defaultMode=3 optional=4 defaultUser=5
Container: name=1 image=2 command=3 args=4 workingDir=5 ports=6 envFrom=19 env=7 resources=8 resizePolicy=23
    restartPolicy=24 volumeMounts=9 volumeDevices=21 livenessProbe=10 readinessProbe=11 startupProbe=22
    lifecycle=12 terminationMessagePath=13 terminationMessagePolicy=20 imagePullPolicy=14 securityContext=15
    stdin=16 stdinOnce=17 tty=18 restartPolicyRules=25
ContainerExtendedResourceRequest: containerName=1 resourceName=2 requestName=3
ContainerImage: names=1 sizeBytes=2
ContainerPort: name=1 hostPort=2 containerPort=3 protocol=4 hostIP=5
ContainerResizePolicy: resourceName=1 restartPolicy=2
ContainerRestartRule: action=1 exitCodes=2
ContainerRestartRuleOnExitCodes: operator=1 values=2
ContainerState: waiting=1 running=2 terminated=3
ContainerStateRunning: startedAt=1
ContainerStateTerminated: exitCode=1 signal=2 reason=3 message=4 startedAt=5 finishedAt=6 containerID=7
ContainerStateWaiting: reason=1 message=2
ContainerStatus: name=1 state=2 lastState=3 ready=4 restartCount=5 image=6 imageID=7 containerID=8 started=9
    allocatedResources=10 resources=11 volumeMounts=12 user=13 allocatedResourcesStatus=14 stopSignal=15
ContainerUser: linux=1
DaemonEndpoint: Port=1
DownwardAPIProjection: items=1
DownwardAPIVolumeFile: path=1 fieldRef=2 resourceFieldRef=3 mode=4 user=5
DownwardAPIVolumeSource: items=1 defaultMode=2 defaultUser=3
EmptyDirVolumeSource: medium=1 sizeLimit=2 mode=3
EndpointAddress: ip=1 hostname=3 nodeName=4 targetRef=2
EndpointPort: name=1 port=2 protocol=3 appProtocol=4
EndpointSubset: addresses=1 notReadyAddresses=2 ports=3
Endpoints: metadata=1 subsets=2
EnvFromSource: prefix=1 configMapRef=2 secretRef=3
EnvVar: name=1 value=2 valueFrom=3
EnvVarSource: fieldRef=1 resourceFieldRef=2 configMapKeyRef=3 secretKeyRef=4 fileKeyRef=5
EphemeralContainer: ~EphemeralContainerCommon=1 targetContainerName=2
EphemeralContainerCommon: name=1 image=2 command=3 args=4 workingDir=5 ports=6 envFrom=19 env=7 resources=8
    resizePolicy=23 restartPolicy=24 volumeMounts=9 volumeDevices=21 livenessProbe=10 readinessProbe=11
    startupProbe=22 lifecycle=12 terminationMessagePath=13 terminationMessagePolicy=20 imagePullPolicy=14
    securityContext=15 stdin=16 stdinOnce=17 tty=18 restartPolicyRules=25
EphemeralVolumeSource: volumeClaimTemplate=1
Event: metadata=1 involvedObject=2 reason=3 message=4 source=5 firstTimestamp=6 lastTimestamp=7 count=8 type=9
    eventTime=10 series=11 action=12 related=13 reportingComponent=14 reportingInstance=15
EventSeries: count=1 lastObservedTime=2
EventSource: component=1 host=2
EvictionResponder: name=1 priority=2
ExecAction: command=1
FCVolumeSource: targetWWNs=1 lun=2 fsType=3 readOnly=4 wwids=5
FileKeySelector: volumeName=1 path=2 key=3 optional=4
FlexPersistentVolumeSource: driver=1 fsType=2 secretRef=3 readOnly=4 options=5
FlexVolumeSource: driver=1 fsType=2 secretRef=3 readOnly=4 options=5
FlockerVolumeSource: datasetName=1 datasetUUID=2
GCEPersistentDiskVolumeSource: pdName=1 fsType=2 partition=3 readOnly=4
GRPCAction: port=1 service=2 mode=3
GitRepoVolumeSource: repository=1 revision=2 directory=3
GlusterfsPersistentVolumeSource: endpoints=1 path=2 readOnly=3 endpointsNamespace=4
GlusterfsVolumeSource: endpoints=1 path=2 readOnly=3
HTTPGetAction: path=1 port=2 host=3 scheme=4 httpHeaders=5 protocol=6
HTTPHeader: name=1 value=2
HostAlias: ip=1 hostnames=2
HostIP: ip=1
HostPathVolumeSource: path=1 type=2
ISCSIPersistentVolumeSource: targetPortal=1 iqn=2 lun=3 iscsiInterface=4 fsType=5 readOnly=6 portals=7
    chapAuthDiscovery=8 chapAuthSession=11 secretRef=10 initiatorName=12
ISCSIVolumeSource: targetPortal=1 iqn=2 lun=3 iscsiInterface=4 fsType=5 readOnly=6 portals=7 chapAuthDiscovery=8
    chapAuthSession=11 secretRef=10 initiatorName=12
ImageVolumeSource: reference=1 pullPolicy=2
ImageVolumeStatus: imageRef=1
KeyToPath: key=1 path=2 mode=3 user=4
Lifecycle: postStart=1 preStop=2 stopSignal=3
LifecycleHandler: exec=1 httpGet=2 tcpSocket=3 sleep=4
LimitRange: metadata=1 spec=2
LimitRangeItem: type=1 max=2 min=3 default=4 defaultRequest=5 maxLimitRequestRatio=6
LimitRangeSpec: limits=1
LinuxContainerUser: uid=1 gid=2 supplementalGroups=3
LoadBalancerIngress: ip=1 hostname=2 ipMode=3 ports=4
LoadBalancerStatus: ingress=1
LocalObjectReference: name=1
LocalVolumeSource: path=1 fsType=2
ModifyVolumeStatus: targetVolumeAttributesClassName=1 status=2
NFSVolumeSource: server=1 path=2 readOnly=3
Namespace: metadata=1 spec=2 status=3
NamespaceCondition: type=1 status=2 lastTransitionTime=4 reason=5 message=6
NamespaceSpec: finalizers=1
NamespaceStatus: phase=1 conditions=2
Node: metadata=1 spec=2 status=3
NodeAddress: type=1 address=2
NodeAffinity: requiredDuringSchedulingIgnoredDuringExecution=1 preferredDuringSchedulingIgnoredDuringExecution=2
NodeAllocatableMappedResources: name=1 quantity=2
NodeAllocatableOverheadResources: name=1 perPod=2 perContainer=3
NodeAllocatableResourceClaimStatus: resourceClaimName=1 containers=2 mapping=4 overhead=5
NodeCondition: type=1 status=2 lastHeartbeatTime=3 lastTransitionTime=4 reason=5 message=6
NodeConfigSource: configMap=2
NodeConfigStatus: assigned=1 active=2 lastKnownGood=3 error=4
NodeDaemonEndpoints: kubeletEndpoint=1
NodeFeatures: supplementalGroupsPolicy=1
NodePodPreemptionPolicy: disableResizePreemption=1
NodeProxyOptions: path=1
NodeRuntimeHandler: name=1 features=2
NodeRuntimeHandlerFeatures: recursiveReadOnlyMounts=1 userNamespaces=2
NodeSelector: nodeSelectorTerms=1
NodeSelectorRequirement: key=1 operator=2 values=3
NodeSelectorTerm: matchExpressions=1 matchFields=2
NodeSpec: podCIDR=1 podCIDRs=7 providerID=3 unschedulable=4 taints=5 configSource=6 externalID=2
    podPreemptionPolicy=8
NodeStatus: capacity=1 allocatable=2 phase=3 conditions=4 addresses=5 daemonEndpoints=6 nodeInfo=7 images=8
    volumesInUse=9 volumesAttached=10 config=11 runtimeHandlers=12 features=13 declaredFeatures=14
NodeSwapStatus: capacity=1
NodeSystemInfo: machineID=1 systemUUID=2 bootID=3 kernelVersion=4 osImage=5 containerRuntimeVersion=6
    kubeletVersion=7 kubeProxyVersion=8 operatingSystem=9 architecture=10 swap=11 runningInUserNamespace=12
ObjectFieldSelector: apiVersion=1 fieldPath=2
ObjectReference: kind=1 namespace=2 name=3 uid=4 apiVersion=5 resourceVersion=6 fieldPath=7
PersistentVolume: metadata=1 spec=2 status=3
PersistentVolumeClaim: metadata=1 spec=2 status=3
PersistentVolumeClaimCondition: type=1 status=2 lastProbeTime=3 lastTransitionTime=4 reason=5 message=6
PersistentVolumeClaimSpec: accessModes=1 selector=4 resources=2 volumeName=3 storageClassName=5 volumeMode=6
    dataSource=7 dataSourceRef=8 volumeAttributesClassName=9
PersistentVolumeClaimStatus: phase=1 accessModes=2 capacity=3 conditions=4 allocatedResources=5
    allocatedResourceStatuses=7 currentVolumeAttributesClassName=8 modifyVolumeStatus=9 healthStatus=10
PersistentVolumeClaimTemplate: metadata=1 spec=2
PersistentVolumeClaimVolumeSource: claimName=1 readOnly=2
PersistentVolumeSource: gcePersistentDisk=1 awsElasticBlockStore=2 hostPath=3 glusterfs=4 nfs=5 rbd=6 iscsi=7
    cinder=8 cephfs=9 fc=10 flocker=11 flexVolume=12 azureFile=13 vsphereVolume=14 quobyte=15 azureDisk=16
    photonPersistentDisk=17 portworxVolume=18 scaleIO=19 local=20 storageos=21 csi=22
"""
