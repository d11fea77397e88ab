// Objects of the named groups.
export const groupShapes = `
Deployment
  string            apiVersion kind
  ObjectMeta        metadata
  DeploymentSpec    spec
  DeploymentStatus  status

DeploymentSpec
  int32               replicas minReadySeconds revisionHistoryLimit progressDeadlineSeconds
  LabelSelector       selector!
  PodTemplateSpec     template!
  DeploymentStrategy  strategy
  bool                paused

DeploymentStrategy
  string                   type
  RollingUpdateDeployment  rollingUpdate

RollingUpdateDeployment
  intOrString  maxUnavailable maxSurge

DeploymentStatus
  int64                       observedGeneration
  int32                       replicas updatedReplicas readyReplicas availableReplicas unavailableReplicas
  int32                       collisionCount terminatingReplicas
  [WorkloadCondition]:type    conditions

WorkloadCondition
  string  type! status! reason message
  time    lastUpdateTime lastTransitionTime

ReplicaSet
  string            apiVersion kind
  ObjectMeta        metadata
  ReplicaSetSpec    spec
  ReplicaSetStatus  status

ReplicaSetSpec
  int32            replicas minReadySeconds
  LabelSelector    selector!
  PodTemplateSpec  template

ReplicaSetStatus
  int32                     replicas! fullyLabeledReplicas readyReplicas availableReplicas terminatingReplicas
  int64                     observedGeneration
  [WorkloadCondition]:type  conditions

DaemonSet
  string           apiVersion kind
  ObjectMeta       metadata
  DaemonSetSpec    spec
  DaemonSetStatus  status

DaemonSetSpec
  LabelSelector            selector!
  PodTemplateSpec          template!
  DaemonSetUpdateStrategy  updateStrategy
  int32                    minReadySeconds revisionHistoryLimit

DaemonSetUpdateStrategy
  string                   type
  RollingUpdateDeployment  rollingUpdate

DaemonSetStatus
  int32                     currentNumberScheduled! numberMisscheduled! desiredNumberScheduled! numberReady!
  int32                     updatedNumberScheduled numberAvailable numberUnavailable collisionCount
  int64                     observedGeneration
  [WorkloadCondition]:type  conditions

ControllerRevision
  string      apiVersion kind
  ObjectMeta  metadata
  any         data
  int64       revision!

Scale
  string       apiVersion kind
  ObjectMeta   metadata
  ScaleSpec    spec
  ScaleStatus  status

ScaleSpec
  int32  replicas

ScaleStatus
  int32   replicas!
  string  selector

EventV1
  string           apiVersion kind reportingController reportingInstance action reason note type
  ObjectMeta       metadata
  microTime        eventTime!
  EventSeries      series
  ObjectReference  regarding related
  EventSource      deprecatedSource
  time             deprecatedFirstTimestamp deprecatedLastTimestamp
  int32            deprecatedCount

Lease
  string      apiVersion kind
  ObjectMeta  metadata
  LeaseSpec   spec

LeaseSpec
  string     holderIdentity strategy preferredHolder
  int32      leaseDurationSeconds leaseTransitions
  microTime  acquireTime renewTime

PriorityClass
  string      apiVersion kind description preemptionPolicy
  ObjectMeta  metadata
  int32       value!
  bool        globalDefault

PodDisruptionBudget
  string                     apiVersion kind
  ObjectMeta                 metadata
  PodDisruptionBudgetSpec    spec
  PodDisruptionBudgetStatus  status

PodDisruptionBudgetSpec
  intOrString    minAvailable maxUnavailable
  LabelSelector  selector
  string         unhealthyPodEvictionPolicy

PodDisruptionBudgetStatus
  int64             observedGeneration
  {time}            disruptedPods
  int32             disruptionsAllowed! currentHealthy! desiredHealthy! expectedPods!
  [Condition]:type  conditions

Eviction
  string      apiVersion kind
  ObjectMeta  metadata
  any         deleteOptions

Binding
  string           apiVersion kind
  ObjectMeta       metadata
  ObjectReference  target!

TokenRequest
  string      apiVersion kind
  ObjectMeta  metadata
  any         spec status

ClusterRole
  string        apiVersion kind
  ObjectMeta    metadata
  [PolicyRule]  rules
  any           aggregationRule

Role
  string        apiVersion kind
  ObjectMeta    metadata
  [PolicyRule]  rules

PolicyRule
  [string]  verbs! apiGroups resources resourceNames nonResourceURLs

ClusterRoleBinding
  string       apiVersion kind
  ObjectMeta   metadata
  RoleRef      roleRef!
  [RbacSubject]  subjects

RoleBinding
  string       apiVersion kind
  ObjectMeta   metadata
  RoleRef      roleRef!
  [RbacSubject]  subjects

RoleRef
  string  apiGroup kind! name!

RbacSubject
  string  kind! name! namespace apiGroup

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
  int32   priority

CustomResourceDefinitionStatus
  [Condition]:type     conditions
  CustomResourceNames  acceptedNames
  [string]             storedVersions
`;
