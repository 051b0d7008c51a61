"""Field numbers of meta/v1 and the other groups, in the original's wire format. `tables` says how to read a line."""

TEXT = """
[meta]
ApplyOptions: dryRun=1*s force=2b fieldManager=3s
Condition: type=1s status=2s observedGeneration=3i lastTransitionTime=4time reason=5s message=6s
CreateOptions: dryRun=1*s fieldManager=3s fieldValidation=4s
DeleteOptions: gracePeriodSeconds=1i preconditions=2Preconditions orphanDependents=3b propagationPolicy=4s
    dryRun=5*s ignoreStoreReadErrorWithClusterBreakingPotential=6b
Duration: duration=1i
FieldSelectorRequirement: key=1s operator=2s values=3*s
GetOptions: resourceVersion=1s
GroupKind: group=1s kind=2s
GroupResource: group=1s resource=2s
GroupVersion: group=1s version=2s
GroupVersionForDiscovery: groupVersion=1s version=2s
GroupVersionKind: group=1s version=2s kind=3s
GroupVersionResource: group=1s version=2s resource=3s
LabelSelector: matchLabels=1{s matchExpressions=2*LabelSelectorRequirement
LabelSelectorRequirement: key=1s operator=2s values=3*s
ListMeta: selfLink=1s resourceVersion=2s continue=3s remainingItemCount=4i
ListOptions: labelSelector=1s fieldSelector=2s watch=3b allowWatchBookmarks=9b resourceVersion=4s
    resourceVersionMatch=10s timeoutSeconds=5i limit=7i continue=8s sendInitialEvents=11b
ManagedFieldsEntry: manager=1s operation=2s apiVersion=3s time=4time fieldsType=6s fieldsV1=7raw subresource=8s
ObjectMeta: name=1s generateName=2s namespace=3s selfLink=4s uid=5s resourceVersion=6s generation=7i
    creationTimestamp=8time deletionTimestamp=9time deletionGracePeriodSeconds=10i labels=11{s annotations=12{s
    ownerReferences=13*OwnerReference finalizers=14*s managedFields=17*ManagedFieldsEntry
OwnerReference: apiVersion=5s kind=1s name=3s uid=4s controller=6b blockOwnerDeletion=7b
PartialObjectMetadata: metadata=1ObjectMeta
Patch:
PatchOptions: dryRun=1*s force=2b fieldManager=3s fieldValidation=4s
Preconditions: uid=1s resourceVersion=2s
RootPaths: paths=1*s
ServerAddressByClientCIDR: clientCIDR=1s serverAddress=2s
Status: metadata=1ListMeta status=2s message=3s reason=4s details=5StatusDetails code=6i
StatusCause: reason=1s message=2s field=3s
StatusDetails: name=1s group=2s kind=3s uid=6s causes=4*StatusCause retryAfterSeconds=5i
TableOptions: includeObject=1s
TypeMeta: kind=1s apiVersion=2s
UpdateOptions: dryRun=1*s fieldManager=2s fieldValidation=3s
WatchEvent: type=1s object=2raw
[apps]
ControllerRevision: metadata=1meta.ObjectMeta data=2raw revision=3i
DaemonSet: metadata=1meta.ObjectMeta spec=2DaemonSetSpec status=3DaemonSetStatus
DaemonSetCondition: type=1s status=2s lastTransitionTime=3time reason=4s message=5s
DaemonSetSpec: selector=1meta.LabelSelector template=2core.PodTemplateSpec
    updateStrategy=3DaemonSetUpdateStrategy minReadySeconds=4i revisionHistoryLimit=6i
DaemonSetStatus: currentNumberScheduled=1i numberMisscheduled=2i desiredNumberScheduled=3i numberReady=4i
    observedGeneration=5i updatedNumberScheduled=6i numberAvailable=7i numberUnavailable=8i collisionCount=9i
    conditions=10*DaemonSetCondition
DaemonSetUpdateStrategy: type=1s rollingUpdate=2RollingUpdateDaemonSet
Deployment: metadata=1meta.ObjectMeta spec=2DeploymentSpec status=3DeploymentStatus
DeploymentCondition: type=1s status=2s lastUpdateTime=6time lastTransitionTime=7time reason=4s message=5s
DeploymentSpec: replicas=1i selector=2meta.LabelSelector template=3core.PodTemplateSpec
    strategy=4DeploymentStrategy minReadySeconds=5i revisionHistoryLimit=6i paused=7b progressDeadlineSeconds=9i
DeploymentStatus: observedGeneration=1i replicas=2i updatedReplicas=3i readyReplicas=7i availableReplicas=4i
    unavailableReplicas=5i terminatingReplicas=9i conditions=6*DeploymentCondition collisionCount=8i
DeploymentStrategy: type=1s rollingUpdate=2RollingUpdateDeployment
ReplicaSet: metadata=1meta.ObjectMeta spec=2ReplicaSetSpec status=3ReplicaSetStatus
ReplicaSetCondition: type=1s status=2s lastTransitionTime=3time reason=4s message=5s
ReplicaSetSpec: replicas=1i minReadySeconds=4i selector=2meta.LabelSelector template=3core.PodTemplateSpec
ReplicaSetStatus: replicas=1i fullyLabeledReplicas=2i readyReplicas=4i availableReplicas=5i
    terminatingReplicas=7i observedGeneration=3i conditions=6*ReplicaSetCondition
RollingUpdateDaemonSet: maxUnavailable=1intstr maxSurge=2intstr
RollingUpdateDeployment: maxUnavailable=1intstr maxSurge=2intstr
RollingUpdateStatefulSetStrategy: partition=1i maxUnavailable=2intstr
StatefulSet: metadata=1meta.ObjectMeta spec=2StatefulSetSpec status=3StatefulSetStatus
StatefulSetCondition: type=1s status=2s lastTransitionTime=3time reason=4s message=5s
StatefulSetOrdinals: start=1i
StatefulSetPersistentVolumeClaimRetentionPolicy: whenDeleted=1s whenScaled=2s
StatefulSetSpec: replicas=1i selector=2meta.LabelSelector template=3core.PodTemplateSpec
    volumeClaimTemplates=4*core.PersistentVolumeClaim serviceName=5s podManagementPolicy=6s
    updateStrategy=7StatefulSetUpdateStrategy revisionHistoryLimit=8i minReadySeconds=9i
    persistentVolumeClaimRetentionPolicy=10StatefulSetPersistentVolumeClaimRetentionPolicy
    ordinals=11StatefulSetOrdinals
StatefulSetStatus: observedGeneration=1i replicas=2i readyReplicas=3i currentReplicas=4i updatedReplicas=5i
    currentRevision=6s updateRevision=7s collisionCount=9i conditions=10*StatefulSetCondition
    availableReplicas=11i
StatefulSetUpdateStrategy: type=1s rollingUpdate=2RollingUpdateStatefulSetStrategy
[authentication]
BoundObjectReference: kind=1s apiVersion=2s name=3s uID=4s
SelfSubjectReview: metadata=1meta.ObjectMeta status=2SelfSubjectReviewStatus
SelfSubjectReviewStatus: userInfo=1UserInfo
TokenRequest: metadata=1meta.ObjectMeta spec=2TokenRequestSpec status=3TokenRequestStatus
TokenRequestSpec: audiences=1*s expirationSeconds=4i boundObjectRef=3BoundObjectReference
TokenRequestStatus: token=1s expirationTimestamp=2time
TokenReview: metadata=1meta.ObjectMeta spec=2TokenReviewSpec status=3TokenReviewStatus
TokenReviewSpec: token=1s audiences=2*s
TokenReviewStatus: authenticated=1b user=2UserInfo audiences=4*s error=3s
UserInfo: username=1s uid=2s groups=3*s extra=4{list
[authorization]
FieldSelectorAttributes: rawSelector=1s requirements=2*meta.FieldSelectorRequirement
LabelSelectorAttributes: rawSelector=1s requirements=2*meta.LabelSelectorRequirement
LocalSubjectAccessReview: metadata=1meta.ObjectMeta spec=2SubjectAccessReviewSpec
    status=3SubjectAccessReviewStatus
NonResourceAttributes: path=1s verb=2s
NonResourceRule: verbs=1*s nonResourceURLs=2*s
ResourceAttributes: namespace=1s verb=2s group=3s version=4s resource=5s subresource=6s name=7s
    fieldSelector=8FieldSelectorAttributes labelSelector=9LabelSelectorAttributes
ResourceRule: verbs=1*s apiGroups=2*s resources=3*s resourceNames=4*s
SelfSubjectAccessReview: metadata=1meta.ObjectMeta spec=2SelfSubjectAccessReviewSpec
    status=3SubjectAccessReviewStatus
SelfSubjectAccessReviewSpec: resourceAttributes=1ResourceAttributes nonResourceAttributes=2NonResourceAttributes
SelfSubjectRulesReview: metadata=1meta.ObjectMeta spec=2SelfSubjectRulesReviewSpec
    status=3SubjectRulesReviewStatus
SelfSubjectRulesReviewSpec: namespace=1s
SubjectAccessReview: metadata=1meta.ObjectMeta spec=2SubjectAccessReviewSpec status=3SubjectAccessReviewStatus
SubjectAccessReviewSpec: resourceAttributes=1ResourceAttributes nonResourceAttributes=2NonResourceAttributes
    user=3s groups=4*s extra=5{list uid=6s
SubjectAccessReviewStatus: allowed=1b denied=4b reason=2s evaluationError=3s
SubjectRulesReviewStatus: resourceRules=1*ResourceRule nonResourceRules=2*NonResourceRule incomplete=3b
    evaluationError=4s
[autoscaling]
ContainerResourceMetricSource: name=1s targetAverageUtilization=2i targetAverageValue=3quantity container=5s
ContainerResourceMetricStatus: name=1s currentAverageUtilization=2i currentAverageValue=3quantity container=4s
CrossVersionObjectReference: kind=1s name=2s apiVersion=3s
ExternalMetricSource: metricName=1s metricSelector=2meta.LabelSelector targetValue=3quantity
    targetAverageValue=4quantity
ExternalMetricStatus: metricName=1s metricSelector=2meta.LabelSelector currentValue=3quantity
    currentAverageValue=4quantity
HorizontalPodAutoscaler: metadata=1meta.ObjectMeta spec=2HorizontalPodAutoscalerSpec
    status=3HorizontalPodAutoscalerStatus
HorizontalPodAutoscalerCondition: type=1s status=2s lastTransitionTime=3time reason=4s message=5s
HorizontalPodAutoscalerSpec: scaleTargetRef=1CrossVersionObjectReference minReplicas=2i maxReplicas=3i
    targetCPUUtilizationPercentage=4i
HorizontalPodAutoscalerStatus: observedGeneration=1i lastScaleTime=2time currentReplicas=3i desiredReplicas=4i
    currentCPUUtilizationPercentage=5i
MetricSpec: type=1s object=2ObjectMetricSource pods=3PodsMetricSource resource=4ResourceMetricSource
    containerResource=7ContainerResourceMetricSource external=5ExternalMetricSource
MetricStatus: type=1s object=2ObjectMetricStatus pods=3PodsMetricStatus resource=4ResourceMetricStatus
    containerResource=7ContainerResourceMetricStatus external=5ExternalMetricStatus
ObjectMetricSource: target=1CrossVersionObjectReference metricName=2s targetValue=3quantity
    selector=4meta.LabelSelector averageValue=5quantity
ObjectMetricStatus: target=1CrossVersionObjectReference metricName=2s currentValue=3quantity
    selector=4meta.LabelSelector averageValue=5quantity
PodsMetricSource: metricName=1s targetAverageValue=2quantity selector=3meta.LabelSelector
PodsMetricStatus: metricName=1s currentAverageValue=2quantity selector=3meta.LabelSelector
ResourceMetricSource: name=1s targetAverageUtilization=2i targetAverageValue=3quantity
ResourceMetricStatus: name=1s currentAverageUtilization=2i currentAverageValue=3quantity
Scale: metadata=1meta.ObjectMeta spec=2ScaleSpec status=3ScaleStatus
ScaleSpec: replicas=1i
ScaleStatus: replicas=1i selector=2s
[coordination]
Lease: metadata=1meta.ObjectMeta spec=2LeaseSpec
LeaseSpec: holderIdentity=1s leaseDurationSeconds=2i acquireTime=3micro renewTime=4micro leaseTransitions=5i
    strategy=6s preferredHolder=7s
[discovery]
Endpoint: addresses=1*s conditions=2EndpointConditions hostname=3s targetRef=4core.ObjectReference
    deprecatedTopology=5{s nodeName=6s zone=7s hints=8EndpointHints
EndpointConditions: ready=1b serving=2b terminating=3b
EndpointHints: forZones=1*ForZone forNodes=2*ForNode
EndpointPort: name=1s protocol=2s port=3i appProtocol=4s
EndpointSlice: metadata=1meta.ObjectMeta addressType=4s endpoints=2*Endpoint ports=3*EndpointPort
ForNode: name=1s
ForZone: name=1s
[events]
Event: metadata=1meta.ObjectMeta eventTime=2micro series=3EventSeries reportingController=4s
    reportingInstance=5s action=6s reason=7s regarding=8core.ObjectReference related=9core.ObjectReference
    note=10s type=11s deprecatedSource=12core.EventSource deprecatedFirstTimestamp=13time
    deprecatedLastTimestamp=14time deprecatedCount=15i
EventSeries: count=1i lastObservedTime=2micro
[policy]
Eviction: metadata=1meta.ObjectMeta deleteOptions=2meta.DeleteOptions
PodDisruptionBudget: metadata=1meta.ObjectMeta spec=2PodDisruptionBudgetSpec status=3PodDisruptionBudgetStatus
PodDisruptionBudgetSpec: minAvailable=1intstr selector=2meta.LabelSelector maxUnavailable=3intstr
    unhealthyPodEvictionPolicy=4s
PodDisruptionBudgetStatus: observedGeneration=1i disruptedPods=2{time disruptionsAllowed=3i currentHealthy=4i
    desiredHealthy=5i expectedPods=6i conditions=7*meta.Condition
[rbac]
AggregationRule: clusterRoleSelectors=1*meta.LabelSelector
ClusterRole: metadata=1meta.ObjectMeta rules=2*PolicyRule aggregationRule=3AggregationRule
ClusterRoleBinding: metadata=1meta.ObjectMeta subjects=2*Subject roleRef=3RoleRef
PolicyRule: verbs=1*s apiGroups=2*s resources=3*s resourceNames=4*s nonResourceURLs=5*s
Role: metadata=1meta.ObjectMeta rules=2*PolicyRule
RoleBinding: metadata=1meta.ObjectMeta subjects=2*Subject roleRef=3RoleRef
RoleRef: apiGroup=1s kind=2s name=3s
Subject: kind=1s apiGroup=2s name=3s namespace=4s
[batch]
CronJob: metadata=1meta.ObjectMeta spec=2CronJobSpec status=3CronJobStatus
CronJobSpec: schedule=1s timeZone=8s startingDeadlineSeconds=2i concurrencyPolicy=3s suspend=4b
    jobTemplate=5JobTemplateSpec successfulJobsHistoryLimit=6i failedJobsHistoryLimit=7i
CronJobStatus: active=1*core.ObjectReference lastScheduleTime=4time lastSuccessfulTime=5time
Job: metadata=1meta.ObjectMeta spec=2JobSpec status=3JobStatus
JobCondition: type=1s status=2s lastProbeTime=3time lastTransitionTime=4time reason=5s message=6s
JobSpec: parallelism=1i completions=2i activeDeadlineSeconds=3i podFailurePolicy=11PodFailurePolicy
    successPolicy=16SuccessPolicy backoffLimit=7i backoffLimitPerIndex=12i maxFailedIndexes=13i
    selector=4meta.LabelSelector manualSelector=5b template=6core.PodTemplateSpec ttlSecondsAfterFinished=8i
    completionMode=9s suspend=10b podReplacementPolicy=14s managedBy=15s
JobStatus: conditions=1*JobCondition startTime=2time completionTime=3time active=4i succeeded=5i failed=6i
    terminating=11i completedIndexes=7s failedIndexes=10s uncountedTerminatedPods=8UncountedTerminatedPods
    ready=9i
JobTemplateSpec: metadata=1meta.ObjectMeta spec=2JobSpec
PodFailurePolicy: rules=1*PodFailurePolicyRule
PodFailurePolicyOnExitCodesRequirement: containerName=1s operator=2s values=3*i
PodFailurePolicyOnPodConditionsPattern: type=1s status=2s
PodFailurePolicyRule: action=1s onExitCodes=2PodFailurePolicyOnExitCodesRequirement
    onPodConditions=3*PodFailurePolicyOnPodConditionsPattern
SuccessPolicy: rules=1*SuccessPolicyRule
SuccessPolicyRule: succeededIndexes=1s succeededCount=2i
UncountedTerminatedPods: succeeded=1*s failed=2*s
[networking]
HTTPIngressPath: path=1s pathType=3s backend=2IngressBackend
HTTPIngressRuleValue: paths=1*HTTPIngressPath
IPAddress: metadata=1meta.ObjectMeta spec=2IPAddressSpec
IPAddressSpec: parentRef=1ParentReference
IPBlock: cidr=1s except=2*s
Ingress: metadata=1meta.ObjectMeta spec=2IngressSpec status=3IngressStatus
IngressBackend: service=4IngressServiceBackend resource=3core.TypedLocalObjectReference
IngressClass: metadata=1meta.ObjectMeta spec=2IngressClassSpec
IngressClassParametersReference: aPIGroup=1s kind=2s name=3s scope=4s namespace=5s
IngressClassSpec: controller=1s parameters=2IngressClassParametersReference
IngressLoadBalancerIngress: ip=1s hostname=2s ports=4*IngressPortStatus
IngressLoadBalancerStatus: ingress=1*IngressLoadBalancerIngress
IngressPortStatus: port=1i protocol=2s error=3s
IngressRule: host=1s ingressRuleValue=2IngressRuleValue
IngressRuleValue: http=1HTTPIngressRuleValue
IngressServiceBackend: name=1s port=2ServiceBackendPort
IngressSpec: ingressClassName=4s defaultBackend=1IngressBackend tls=2*IngressTLS rules=3*IngressRule
IngressStatus: loadBalancer=1IngressLoadBalancerStatus
IngressTLS: hosts=1*s secretName=2s
NetworkPolicy: metadata=1meta.ObjectMeta spec=2NetworkPolicySpec
NetworkPolicyEgressRule: ports=1*NetworkPolicyPort to=2*NetworkPolicyPeer
NetworkPolicyIngressRule: ports=1*NetworkPolicyPort from=2*NetworkPolicyPeer
NetworkPolicyPeer: podSelector=1meta.LabelSelector namespaceSelector=2meta.LabelSelector ipBlock=3IPBlock
NetworkPolicyPort: protocol=1s port=2intstr endPort=3i
NetworkPolicySpec: podSelector=1meta.LabelSelector ingress=2*NetworkPolicyIngressRule
    egress=3*NetworkPolicyEgressRule policyTypes=4*s
ParentReference: group=1s resource=2s namespace=3s name=4s
ServiceBackendPort: name=1s number=2i
ServiceCIDR: metadata=1meta.ObjectMeta spec=2ServiceCIDRSpec status=3ServiceCIDRStatus
ServiceCIDRSpec: cidrs=1*s
ServiceCIDRStatus: conditions=1*meta.Condition
[scheduling]
PriorityClass: metadata=1meta.ObjectMeta value=2i globalDefault=3b description=4s preemptionPolicy=5s
[storage]
CSIDriver: metadata=1meta.ObjectMeta spec=2CSIDriverSpec
CSIDriverSpec: attachRequired=1b podInfoOnMount=2b volumeLifecycleModes=3*s storageCapacity=4b fsGroupPolicy=5s
    tokenRequests=6*TokenRequest requiresRepublish=7b seLinuxMount=8b nodeAllocatableUpdatePeriodSeconds=9i
CSINode: metadata=1meta.ObjectMeta spec=2CSINodeSpec
CSINodeDriver: name=1s nodeID=2s topologyKeys=3*s allocatable=4VolumeNodeResources
CSINodeSpec: drivers=1*CSINodeDriver
CSIStorageCapacity: metadata=1meta.ObjectMeta nodeTopology=2meta.LabelSelector storageClassName=3s
    capacity=4quantity maximumVolumeSize=5quantity
StorageClass: metadata=1meta.ObjectMeta provisioner=2s parameters=3{s reclaimPolicy=4s mountOptions=5*s
    allowVolumeExpansion=6b volumeBindingMode=7s allowedTopologies=8*core.TopologySelectorTerm
TokenRequest: audience=1s expirationSeconds=2i
VolumeAttachment: metadata=1meta.ObjectMeta spec=2VolumeAttachmentSpec status=3VolumeAttachmentStatus
VolumeAttachmentSource: persistentVolumeName=1s inlineVolumeSpec=2core.PersistentVolumeSpec
VolumeAttachmentSpec: attacher=1s source=2VolumeAttachmentSource nodeName=3s
VolumeAttachmentStatus: attached=1b attachmentMetadata=2{s attachError=3VolumeError detachError=4VolumeError
VolumeError: time=1time message=2s errorCode=3i
VolumeNodeResources: count=1i
[node]
Overhead: podFixed=1{quantity
RuntimeClass: metadata=1meta.ObjectMeta handler=2s overhead=3Overhead scheduling=4Scheduling
Scheduling: nodeSelector=1{s tolerations=2*core.Toleration
[certificates]
CertificateSigningRequest: metadata=1meta.ObjectMeta spec=2CertificateSigningRequestSpec
    status=3CertificateSigningRequestStatus
CertificateSigningRequestCondition: type=1s status=6s reason=2s message=3s lastUpdateTime=4time
    lastTransitionTime=5time
CertificateSigningRequestSpec: request=1y signerName=7s expirationSeconds=8i usages=5*s username=2s uid=3s
    groups=4*s extra=6{list
CertificateSigningRequestStatus: conditions=1*CertificateSigningRequestCondition certificate=2y
"""
