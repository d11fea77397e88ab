// Objects of the named groups.
export const groupShapes = `
Deployment
  string            apiVersion kind
  ObjectMeta        metadata@1
  DeploymentSpec    spec@2
  DeploymentStatus  status@3

DeploymentSpec
  int32               replicas?@1 minReadySeconds@5 revisionHistoryLimit?@6 progressDeadlineSeconds?@9
  LabelSelector       selector!@2
  PodTemplateSpec     template!@3
  DeploymentStrategy  strategy@4
  bool                paused@7

DeploymentStrategy
  string                   type@1
  RollingUpdateDeployment  rollingUpdate@2

RollingUpdateDeployment
  intOrString  maxUnavailable@1 maxSurge@2

DeploymentStatus
  int64                       observedGeneration@1
  int32                       replicas@2 updatedReplicas@3 readyReplicas@7 availableReplicas@4 unavailableReplicas@5
  int32                       collisionCount?@8 terminatingReplicas@9
  [WorkloadCondition]:type    conditions@6

WorkloadCondition
  string  type!@1 status!@2 reason@4 message@5
  time    lastUpdateTime@6 lastTransitionTime@7

SetCondition
  string  type!@1 status!@2 reason@4 message@5
  time    lastTransitionTime@3

ReplicaSet
  string            apiVersion kind
  ObjectMeta        metadata@1
  ReplicaSetSpec    spec@2
  ReplicaSetStatus  status@3

ReplicaSetSpec
  int32            replicas?@1 minReadySeconds@4
  LabelSelector    selector!@2
  PodTemplateSpec  template@3

ReplicaSetStatus
  int32                     replicas!@1 fullyLabeledReplicas@2 readyReplicas@4 availableReplicas@5 terminatingReplicas@7
  int64                     observedGeneration@3
  [SetCondition]:type  conditions@6

DaemonSet
  string           apiVersion kind
  ObjectMeta       metadata@1
  DaemonSetSpec    spec@2
  DaemonSetStatus  status@3

DaemonSetSpec
  LabelSelector            selector!@1
  PodTemplateSpec          template!@2
  DaemonSetUpdateStrategy  updateStrategy@3
  int32                    minReadySeconds@4 revisionHistoryLimit?@6

DaemonSetUpdateStrategy
  string                   type@1
  RollingUpdateDeployment  rollingUpdate@2

DaemonSetStatus
  int32                     currentNumberScheduled!@1 numberMisscheduled!@2 desiredNumberScheduled!@3 numberReady!@4
  int32                     updatedNumberScheduled@6 numberAvailable@7 numberUnavailable@8 collisionCount?@9
  int64                     observedGeneration@5
  [SetCondition]:type  conditions@10

ControllerRevision
  string      apiVersion kind
  ObjectMeta  metadata@1
  any         data@2
  int64       revision!@3

Scale
  string       apiVersion kind
  ObjectMeta   metadata@1
  ScaleSpec    spec@2
  ScaleStatus  status@3

ScaleSpec
  int32  replicas?@1

ScaleStatus
  int32   replicas!@1
  string  selector@2

EventV1
  string           apiVersion kind reportingController@4 reportingInstance@5 action@6 reason@7 note@10 type@11
  ObjectMeta       metadata@1
  microTime        eventTime!@2
  EventSeries      series@3
  ObjectReference  regarding@8 related@9
  EventSource      deprecatedSource@12
  time             deprecatedFirstTimestamp@13 deprecatedLastTimestamp@14
  int32            deprecatedCount@15

Lease
  string      apiVersion kind
  ObjectMeta  metadata@1
  LeaseSpec   spec@2

LeaseSpec
  string     holderIdentity@1 strategy@6 preferredHolder@7
  int32      leaseDurationSeconds?@2 leaseTransitions?@5
  microTime  acquireTime@3 renewTime@4

PriorityClass
  string      apiVersion kind description@4 preemptionPolicy@5
  ObjectMeta  metadata@1
  int32       value!@2
  bool        globalDefault@3

PodDisruptionBudget
  string                     apiVersion kind
  ObjectMeta                 metadata@1
  PodDisruptionBudgetSpec    spec@2
  PodDisruptionBudgetStatus  status@3

PodDisruptionBudgetSpec
  intOrString    minAvailable@1 maxUnavailable@3
  LabelSelector  selector@2
  string         unhealthyPodEvictionPolicy@4

PodDisruptionBudgetStatus
  int64             observedGeneration@1
  {time}            disruptedPods@2
  int32             disruptionsAllowed!@3 currentHealthy!@4 desiredHealthy!@5 expectedPods!@6
  [Condition]:type  conditions@7

Eviction
  string         apiVersion kind
  ObjectMeta     metadata@1
  DeleteOptions  deleteOptions@2

DeleteOptions
  string         apiVersion kind propagationPolicy@4
  int64          gracePeriodSeconds?@1
  Preconditions  preconditions@2
  bool           orphanDependents?@3 ignoreStoreReadErrorWithClusterBreakingPotential@6
  [string]       dryRun@5

Preconditions
  string  uid@1 resourceVersion@2

Binding
  string           apiVersion kind
  ObjectMeta       metadata@1
  ObjectReference  target!@2

TokenRequest
  string            apiVersion kind
  ObjectMeta        metadata@1
  TokenRequestSpec  spec@2
  TokenRequestStatus  status@3

TokenRequestStatus
  string  token@1
  time    expirationTimestamp@2

TokenRequestSpec
  [string]         audiences@1
  int64            expirationSeconds?@4
  ObjectReference  boundObjectRef

SelfSubjectReview
  string      apiVersion kind
  ObjectMeta  metadata@1
  SelfSubjectReviewStatus  status@2

SelfSubjectReviewStatus
  UserInfo  userInfo@1

UserInfo
  string    username@1 uid@2
  [string]  groups@3

SelfSubjectAccessReview
  string                   apiVersion kind
  ObjectMeta               metadata@1
  SelfSubjectAccessReviewSpec  spec@2
  SubjectAccessReviewStatus    status@3

SubjectAccessReviewStatus
  bool    allowed@1 denied@4
  string  reason@2 evaluationError@3

SelfSubjectAccessReviewSpec
  ResourceAttributes     resourceAttributes@1
  NonResourceAttributes  nonResourceAttributes@2

ResourceAttributes
  string  namespace@1 verb@2 group@3 version@4 resource@5 subresource@6 name@7
  any     fieldSelector labelSelector

NonResourceAttributes
  string  path@1 verb@2

ClusterRole
  string        apiVersion kind
  ObjectMeta    metadata@1
  [PolicyRule]  rules@2
  any           aggregationRule

Role
  string        apiVersion kind
  ObjectMeta    metadata@1
  [PolicyRule]  rules@2

PolicyRule
  [string]  verbs!@1 apiGroups@2 resources@3 resourceNames@4 nonResourceURLs@5

ClusterRoleBinding
  string       apiVersion kind
  ObjectMeta   metadata@1
  RoleRef      roleRef!@3
  [RbacSubject]  subjects@2

RoleBinding
  string       apiVersion kind
  ObjectMeta   metadata@1
  RoleRef      roleRef!@3
  [RbacSubject]  subjects@2

RoleRef
  string  apiGroup@1 kind!@2 name!@3

RbacSubject
  string  kind!@1 name!@3 namespace@4 apiGroup@2

CustomResourceDefinition
  string                            apiVersion kind
  ObjectMeta                        metadata
  CustomResourceDefinitionSpec      spec!
  CustomResourceDefinitionStatus    status

CustomResourceDefinitionSpec
  string                   group! scope!
  CustomResourceNames      names!
  [CustomResourceVersion]  versions!
  any                      conversion
  bool                     preserveUnknownFields

CustomResourceNames
  string    plural! singular kind! listKind
  [string]  shortNames categories

CustomResourceVersion
  string                  name! deprecationWarning
  bool                    served! storage! deprecated
  any                     schema subresources
  [CustomResourceColumn]  additionalPrinterColumns
  [any]                   selectableFields

CustomResourceColumn
  string  name! type! jsonPath! description format
  int32   priority?

CustomResourceDefinitionStatus
  [Condition]:type     conditions
  CustomResourceNames  acceptedNames
  [string]             storedVersions
`;
